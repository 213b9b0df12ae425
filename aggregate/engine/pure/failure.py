"""How a run ends early: `Failure` (an error record to be) and `Rejection` (the program said no); the shared message table.

Messages come only from `messages.json`, which the native engine includes too: a key here is a key there. See `docs/engine-notes.md`.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Final, TypeAlias

At: TypeAlias = "tuple[int, int, str | None]"
"""Where an operation stands: line and column from 1, and the function (None in filters, expressions and consts)."""

KINDS: Final = {
    **dict.fromkeys(("type", "key", "index", "value", "arity", "frozen", "mutation", "overflow", "div_zero", "filter_type"), "runtime"),
    **dict.fromkeys(("out_of_gas", "limit", "depth"), "resource"),
    **dict.fromkeys(("bad_input", "bad_output", "no_function"), "contract"),
    "engine_bug": "internal",
}

MESSAGES: Final[dict[str, dict[str, str]]] = json.loads(
    resources.files("aggregate.engine").joinpath("messages.json").read_text(encoding="utf-8")
)

_PARAMETER = re.compile(r"\{(\w+)\}")


class Failure(Exception):
    """An error of the language. `key` names a message (`type.binary`), whose section is the code; `at` is None outside of source text."""

    def __init__(self, key: str, at: At | None = None, /, **parameters: object) -> None:
        super().__init__(key)
        self.key = key
        self.at = at
        self.parameters = parameters

    @property
    def code(self) -> str:
        return self.key.partition(".")[0]

    @property
    def kind(self) -> str:
        return KINDS[self.code]

    @property
    def message(self) -> str:
        section, _, name = self.key.partition(".")
        return _PARAMETER.sub(lambda match: str(self.parameters[match[1]]), MESSAGES[section][name])

    def record(self, gas_used: int) -> bytes:
        """The error record as JSON bytes (`docs/language.md`, section 9)."""
        line, column, function = self.at if self.at is not None else (None, None, None)
        members = (self.kind, self.code, self.message, line, column, function, gas_used)
        names = ("kind", "code", "message", "line", "column", "function", "gas_used")
        return json.dumps(dict(zip(names, members, strict=True)), ensure_ascii=False, separators=(",", ":")).encode()


class Rejection(Exception):
    """`reject(...)` was called: an outcome, not an error. `text` is canonical JSON of code, details and message."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def out_of_gas(at: At | None, limit: int) -> Failure:
    return Failure("out_of_gas.spent", at, limit=limit)
