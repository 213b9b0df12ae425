"""What `check` says of a source: mistakes and warnings with the line they stand in and a caret under the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aggregate.errors import ErrorRecord
from aggregate.language.compiler import read, resolve
from aggregate.language.lint import warnings
from aggregate.language.mistakes import Mistakes, message
from aggregate.language.tree import Program

_WIDTH: Final = 120
"""More of a source line is not shown."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake or warning.

    Attributes:
        severity: `error` or `warning`.
        record: what and where; a warning's kind is `compile`, its code `warning`.
        text: the source line.
    """

    severity: str
    record: ErrorRecord
    text: str

    def render(self, name: str) -> str:
        """The diagnostic for people: place and message, the source line, a caret under the column."""
        record = self.record
        line, column = record.line or 1, record.column or 1
        code = "" if self.severity == "warning" else f"[{record.code}]"
        where = f" (in {record.function})" if record.function else ""
        head = f"{name}:{line}:{column}: {self.severity}{code}: {record.message}{where}"
        start = max(0, column - 1 - _WIDTH // 2) if len(self.text) > _WIDTH else 0
        shown = self.text[start : start + _WIDTH]
        gutter = f"{line:>5} | "
        indent = "".join("\t" if character == "\t" else " " for character in shown[: column - 1 - start])
        return f"{head}\n{gutter}{_printable(shown)}\n{' ' * (len(gutter) - 2)}| {indent}^"


def check(source: str, kind: str = "program") -> list[Diagnostic]:
    """Every mistake of a source, and the warnings where there is no mistake, in the order of the text.

    Raises:
        ValueError: no such kind.
    """
    mistakes = Mistakes()
    tree = read(source, kind, mistakes)
    if tree is not None:
        resolve(tree, source, kind, mistakes)
    lines = source.replace("\r\n", "\n").split("\n")
    if mistakes:
        return [_diagnostic("error", record, lines) for record in mistakes.records()]
    if not isinstance(tree, Program):
        return []
    found = [
        ErrorRecord("compile", "warning", message(key, parameters), *at, function, 0) for key, at, function, parameters in warnings(tree)
    ]
    found.sort(key=lambda record: (record.line or 0, record.column or 0))
    return [_diagnostic("warning", record, lines) for record in found]


def _diagnostic(severity: str, record: ErrorRecord, lines: list[str]) -> Diagnostic:
    index = (record.line or 1) - 1
    return Diagnostic(severity, record, lines[index] if index < len(lines) else "")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() or character == "\t" else "\ufffd" for character in text)
