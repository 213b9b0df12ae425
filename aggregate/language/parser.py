"""Source text to syntax tree, or the one syntax mistake at which reading ends."""

from __future__ import annotations

import threading
from functools import cache
from importlib import resources

from lark import Lark, UnexpectedCharacters, UnexpectedToken

from aggregate.language.expected import unexpected_character, unexpected_token
from aggregate.language.layout import Layout
from aggregate.language.mistakes import SyntaxMistake
from aggregate.language.transform import TreeBuilder
from aggregate.language.tree import Expression, Program

_one_at_a_time = threading.Lock()
"""lark keeps the state of the post-lexer in the parser."""


@cache
def _parser() -> tuple[Lark, Layout]:
    grammar = resources.files("aggregate.language").joinpath("grammar.lark").read_text(encoding="utf-8")
    layout = Layout()
    lark = Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        start=["program", "expression"],
        postlex=layout,
        transformer=TreeBuilder(),
    )
    return lark, layout


class ParseError(Exception):
    """The source is no sentence of the language; `function` is the one in which reading ended."""

    def __init__(self, mistake: SyntaxMistake, function: str | None) -> None:
        super().__init__(mistake.key)
        self.mistake = mistake
        self.function = function


def parse(text: str, kind: str) -> Program | Expression:
    """The tree of `text` (newlines are LF) as a program, or as an expression for kinds `filter` and `expression`.

    Raises:
        ParseError: with the first mistake of the text.
    """
    with _one_at_a_time:
        lark, layout = _parser()
        if kind == "program":
            text += "\n"
        layout.begin(len(text), lines=kind == "program")
        try:
            return lark.parse(text, start="program" if kind == "program" else "expression")  # type: ignore[return-value]
        except SyntaxMistake as mistake:
            found = mistake
        except UnexpectedToken as error:
            found = unexpected_token(error, text, layout)
        except UnexpectedCharacters as error:
            found = unexpected_character(error, text)
        raise ParseError(found, layout.function)
