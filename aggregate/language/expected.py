"""Syntax mistakes in human words: what stands there, what could stand there, and for the usual slips what to write instead."""

from __future__ import annotations

import re
from typing import Final

from lark import Token, UnexpectedCharacters, UnexpectedToken

from aggregate.language.layout import Layout, position
from aggregate.language.mistakes import SyntaxMistake
from aggregate.language.tree import At
from aggregate.language.vocabulary import ABSENT, RESERVED

_SHOWN: Final = 40
_HUMAN: Final = {
    "NAME": "a name",
    "_NEWLINE": "the end of the line",
    "_INDENT": "an indented block",
    "_DEDENT": "the end of the block",
    "$END": "the end of the source",
    "LPAR": "(",
    "LSQB": "[",
    "_RPAR": ")",
    "_RSQB": "]",
    "LBRACE": "{",
    "_RBRACE": "}",
    "_COMMA": ",",
    "_COLON": ":",
    "_DOT": ".",
    "_ASSIGN": "=",
    "FOR": "for",
    "IN": "in",
    "DEF": "def",
    "_ELSE": "else",
    "_ELIF": "elif",
    "IF": "if",
    "AUGMENT": "an assignment operator",
}
_CONTINUES: Final = frozenset(
    (
        *("AND", "OR", "NOT", "IN", "IS", "IF", "COMPARISON", "BAR", "BIT_OPERATOR", "PLUS", "MINUS", "STAR", "POWER", "SLASH"),
        *("FLOOR_SLASH", "PERCENT", "_DOT", "LPAR", "LSQB", "AUGMENT", "_ASSIGN"),
    )
)
"""What can follow any expression: named only where nothing else can follow."""
_STARTS: Final = frozenset(("NAME", "NUMBER", "STRING", "TRUE", "FALSE", "NULL", "LPAR", "LSQB", "LBRACE", "MINUS", "TILDE", "NOT"))
_STATEMENT: Final = frozenset(("RETURN", "BREAK", "CONTINUE", "PASS"))
_OPERATOR_HINTS: Final = {
    "&&": "write and",
    "||": "write or",
    "!": "write not",
    ";": "write one statement on a line",
    "\\": "lines continue inside of brackets only",
    ":=": "assign on a line of its own",
    "<>": "write !=",
}
_ASSIGNMENT_FOLLOWS: Final = re.compile(r"[ \t]*(?:=(?!=)|\+=|-=|\*=|\|=)")


def unexpected_token(error: UnexpectedToken, text: str, layout: Layout) -> SyntaxMistake:
    """The mistake for a token that cannot stand where it stands."""
    token = error.token
    accepted = frozenset(error.accepts or error.expected)
    at = _end(layout) if token.type == "$END" else position(token)
    operand = "NUMBER" in accepted
    if token.type == "BAD_STRING":
        return SyntaxMistake("syntax.string", at)
    if token.type == "BAD_NUMBER":
        return SyntaxMistake("syntax.number", at, found=_cut(token))
    if token.type == "OTHER_STRING" and operand:
        return SyntaxMistake("unsupported.string", at, what="f-strings" if "f" in token.lower() else "bytes")
    if token.type == "BAD_OPERATOR":
        hint = _OPERATOR_HINTS.get(str(token))
        return SyntaxMistake("syntax.operator", at, found=token, hint=f"; {hint}" if hint else "")
    if token in RESERVED and token.type != "$END":
        mistake = _reserved(token, accepted, text, at)
        if mistake is not None:
            return mistake
    special = _special(token, accepted, layout)
    if special:
        return SyntaxMistake(special, at)
    return SyntaxMistake("syntax.unexpected", at, found=_found(token), expected=_expected(accepted))


def unexpected_character(error: UnexpectedCharacters, text: str) -> SyntaxMistake:
    """The mistake for a character that begins no token."""
    character = text[error.pos_in_stream] if error.pos_in_stream is not None else ""
    key = {"\r": "syntax.carriage_return", "\ufeff": "syntax.bom"}.get(character, "syntax.character")
    return SyntaxMistake(key, (error.line, error.column), found=_character(character))


def _reserved(token: Token, accepted: frozenset[str], text: str, at: At) -> SyntaxMistake | None:
    """A reserved word: as a name, or at the beginning of a construct that the language has not."""
    word = str(token)
    operand = "NUMBER" in accepted
    assigned = _ASSIGNMENT_FOLLOWS.match(text, token.end_pos or 0) is not None
    if "NAME" in accepted and not operand and "DEF" not in accepted:
        return SyntaxMistake("syntax.reserved", at, word=word)
    if word in ABSENT and (operand or "DEF" in accepted) and not assigned:
        if word == "from" and not (accepted & {"RETURN", "DEF"}):
            return SyntaxMistake("syntax.reserved", at, word=word)
        return SyntaxMistake("unsupported.construct", at, what=_construct(word))
    if token.type == "RESERVED" or (assigned and (operand or "DEF" in accepted)):
        return SyntaxMistake("syntax.reserved", at, word=word)
    return None


def _construct(word: str) -> str:
    return {"from": "import", "def": "a def inside of an expression", "is": "is"}.get(word, word)


def _special(token: Token, accepted: frozenset[str], layout: Layout) -> str:
    """The usual slips."""
    after_value = "PLUS" in accepted
    if token.type == "COMPARISON" and after_value:
        return "syntax.chained"
    if token.type == "FOR" and after_value:
        return "syntax.generator"
    if token.type == "_INDENT":
        return "syntax.indent"
    if token.type == "_ASSIGN" and after_value and "_COLON" in accepted:
        return "syntax.equals"
    if token.type == "_COLON" and layout.brackets and layout.brackets[-1].type == "LSQB" and after_value:
        return "syntax.step"
    if "DEF" in accepted and "RETURN" not in accepted and token.type not in {"_DEDENT", "$END"}:
        return "syntax.top_level"
    return ""


def _found(token: Token) -> str:
    if token.type in {"_NEWLINE", "_INDENT", "_DEDENT", "$END"}:
        return _HUMAN[token.type]
    if token.type == "STRING":
        return "a string"
    return _cut(token)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _character(character: str) -> str:
    return character if character.isprintable() else f"U+{ord(character):04X}"


def _expected(accepted: frozenset[str]) -> str:
    """What could stand there, in words."""
    words: list[str] = []
    rest = set(accepted)
    if "NUMBER" in rest:
        words.append("a statement" if rest & _STATEMENT else "an expression")
        rest -= _STARTS | _STATEMENT | {"FOR", "IF", "DEF"} if rest & _STATEMENT else _STARTS
    elif rest - _CONTINUES:
        rest -= _CONTINUES
    else:
        words.append("an operator")
        rest.clear()
    words += [_HUMAN.get(name, name.strip("_").lower()) for name in sorted(rest, key=_order) if name != "_DEDENT" or len(rest) == 1]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _order(name: str) -> tuple[int, str]:
    names = list(_HUMAN)
    return (names.index(name) if name in names else len(names)), name


def _end(layout: Layout) -> At:
    """Just after the last token."""
    last = layout.last
    if last is None or last.end_line is None or last.end_column is None:
        return 1, 1
    return last.end_line, last.end_column
