"""Source text to IR: the way of a source through parser, resolver and the evaluation of its consts."""

from __future__ import annotations

import hashlib
from typing import Final

from aggregate.language.ir import Document, encode
from aggregate.language.mistakes import Mistakes, Stop
from aggregate.language.parser import ParseError, parse
from aggregate.language.resolver import LANGUAGE, resolve_expression, resolve_program
from aggregate.language.tree import Expression, Program
from aggregate.language.vocabulary import MAX_SOURCE

KINDS: Final = ("program", "filter", "expression")


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
    try:
        return parse(source.replace("\r\n", "\n"), kind)
    except ParseError as error:
        mistakes.add(error.mistake.key, error.mistake.at, error.function, **error.mistake.parameters)
        return None


def resolve(tree: Program | Expression, source: str, kind: str, mistakes: Mistakes) -> Document | None:
    """The document of the IR; None where a limit stopped the way."""
    try:
        if type(tree) is Program:
            return resolve_program(tree, digest(source, kind), mistakes)
        return resolve_expression(tree, kind, digest(source, kind), mistakes)  # type: ignore[arg-type]
    except Stop:
        return None
