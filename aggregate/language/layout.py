"""Between lexer and parser: lines and indentation, words, and the limits that keep hostile text from going deep.

lark's `Indenter` makes the indent and dedent tokens; here it also tells words from names, refuses tabs as indentation, counts open brackets
and blocks, knows the function a token stands in, and for filters takes newlines as spaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from lark import Token
from lark.indenter import Indenter

from aggregate.language.mistakes import SyntaxMistake
from aggregate.language.tree import At
from aggregate.language.vocabulary import MAX_NAME, MAX_NESTING, RESERVED, WORDS


class Layout(Indenter):
    """The post-lexer of one parse."""

    NL_type = "_NEWLINE"
    OPEN_PAREN_types: ClassVar[list[str]] = ["LPAR", "LSQB", "LBRACE"]
    CLOSE_PAREN_types: ClassVar[list[str]] = ["_RPAR", "_RSQB", "_RBRACE"]
    INDENT_type = "_INDENT"
    DEDENT_type = "_DEDENT"
    tab_len = 1
    always_accept = ("_NEWLINE", "BAD_NUMBER", "BAD_STRING", "OTHER_STRING", "BAD_OPERATOR")
    """Tokens that the lexer keeps although no rule has them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = True
        self.length = 0
        self.function: str | None = None
        self.last: Token | None = None
        self.brackets: list[Token] = []

    def begin(self, length: int, *, lines: bool) -> None:
        """Make ready for one source of `length` code points; without `lines` newlines are spaces."""
        self.lines = lines
        self.length = length
        self.function = None
        self.last = None
        self.brackets = []

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Tokens for the parser."""
        tokens: Iterator[Token] = super().process(self._words(stream))  # type: ignore[no-untyped-call]
        return tokens

    def handle_NL(self, token: Token) -> Iterator[Token]:  # noqa: N802 - the name is lark's
        """A line ends; what stands before the next one is its indentation."""
        if self.paren_level > 0 or not self.lines:
            return
        indent = token.rsplit("\n", 1)[1]
        at_end = token.end_pos == self.length
        if "\t" in indent and not at_end:
            raise SyntaxMistake("syntax.tab", (_line_after(token), indent.index("\t") + 1))
        if len(indent) not in self.indent_level and len(indent) < self.indent_level[-1]:
            raise SyntaxMistake("syntax.dedent", (_line_after(token), len(indent) + 1))
        yield from super().handle_NL(token)
        if len(self.indent_level) > MAX_NESTING + 1:
            raise SyntaxMistake("too_big.nesting", (_line_after(token), len(indent) + 1), limit=MAX_NESTING)

    def _words(self, stream: Iterator[Token]) -> Iterator[Token]:
        begin, word = True, ""
        for lexed in stream:
            kind = lexed.type
            token = self._word(lexed) if kind == "NAME" else lexed
            if kind in self.OPEN_PAREN_types:
                self.brackets.append(token)
                if len(self.brackets) > MAX_NESTING:
                    raise SyntaxMistake("too_big.nesting", position(token), limit=MAX_NESTING)
            elif kind in self.CLOSE_PAREN_types and self.brackets:
                self.brackets.pop()
            if self.lines and kind != self.NL_type:
                if self.last is None and position(token)[1] > 1:
                    raise SyntaxMistake("syntax.indent", position(token))
                if begin and token.column == 1 and not self.brackets:
                    self.function = None
                if word == "DEF" and token.type == "NAME" and self.last is not None and self.last.column == 1:
                    self.function = str(token)
            begin, word = kind == self.NL_type, token.type
            yield token
            if kind != self.NL_type or self.last is None:
                self.last = token

    def _word(self, token: Token) -> Token:
        if token in RESERVED:
            return Token.new_borrow_pos(WORDS.get(token, "RESERVED"), token, token)
        if len(token) > MAX_NAME:
            raise SyntaxMistake("too_big.name", position(token), limit=MAX_NAME)
        return token


def position(token: Token) -> At:
    """Where the token begins."""
    assert token.line is not None
    assert token.column is not None
    return token.line, token.column


def _line_after(newline: Token) -> int:
    assert newline.line is not None
    return newline.line + newline.count("\n")
