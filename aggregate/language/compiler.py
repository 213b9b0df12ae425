"""Source text to IR: the way of a source through parser, resolver and the evaluation of its consts."""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import Final

from aggregate.language.ir import Document, encode
from aggregate.language.mistakes import Mistakes, Stop
from aggregate.language.parser import ParseError, parse
from aggregate.language.resolver import LANGUAGE, resolve_expression, resolve_program
from aggregate.language.tree import Expression, Program
from aggregate.language.vocabulary import MAX_SOURCE

KINDS: Final = ("program", "filter", "expression")
_FUNCTION: Final = re.compile(r"^def ", re.MULTILINE)
_SYNTAX_MISTAKES: Final = 20
"""After so many of them a source is not read on."""


def digest(source: str, kind: str = "program") -> str:
    """sha256 of language version, kind and source (CRLF as LF), hex: what names a program everywhere."""
    text = "\0".join((LANGUAGE, kind, source.replace("\r\n", "\n")))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def compile(source: str, kind: str = "program") -> bytes:  # noqa: A001 - the public name of the language's door
    """The IR of a source (`docs/ir.md`).

    Args:
        source: the text.
        kind: `program`, `filter` or `expression`.

    Raises:
        CompileError: its `records` hold every mistake that could be found, in the order of the source.
        ValueError: no such kind.
    """
    mistakes = Mistakes()
    tree = read(source, kind, mistakes)
    document = resolve(tree, source, kind, mistakes) if tree is not None else None
    mistakes.check()
    assert document is not None
    return encode(document)


def read(source: str, kind: str, mistakes: Mistakes) -> Program | Expression | None:
    """The syntax tree; None where there is none and `mistakes` says why."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, not one of {', '.join(KINDS)}")
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_SOURCE:
        mistakes.add("too_big.source", (1, 1), limit=MAX_SOURCE, size=size)
        return None
    text = source.replace("\r\n", "\n")
    try:
        return parse(text, kind)
    except ParseError as error:
        line = _note(error, mistakes)
    if kind == "program":
        _read_on(text, line, mistakes)
    return None


def _read_on(text: str, line: int, mistakes: Mistakes) -> None:
    """The syntax mistakes of the functions below the one in `line`. Each piece of text is read once, so this costs no more than a parse."""
    starts = [match.start() for match in _FUNCTION.finditer(text)]
    lines = [text.count("\n", 0, start) + 1 for start in starts[:1]]
    for before, start in itertools.pairwise(starts):
        lines.append(lines[-1] + text.count("\n", before, start))
    while len(mistakes) < _SYNTAX_MISTAKES:
        below = next((index for index, at in enumerate(lines) if at > line), None)
        if below is None:
            return
        try:
            parse("\n" * (lines[below] - 1) + text[starts[below] :], "program")
        except ParseError as error:
            line = max(_note(error, mistakes), lines[below])
        else:
            return


def _note(error: ParseError, mistakes: Mistakes) -> int:
    """Note a syntax mistake; gives its line."""
    mistakes.add(error.mistake.key, error.mistake.at, error.function, **error.mistake.parameters)
    return error.mistake.at[0]


def resolve(tree: Program | Expression, source: str, kind: str, mistakes: Mistakes) -> Document | None:
    """The document of the IR; None where a limit stopped the way."""
    try:
        if type(tree) is Program:
            return resolve_program(tree, digest(source, kind), mistakes)
        return resolve_expression(tree, kind, digest(source, kind), mistakes)  # type: ignore[arg-type]
    except Stop:
        return None
