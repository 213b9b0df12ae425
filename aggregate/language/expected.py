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
    "_INDENT": "an indented block",
    "_COLON": "`:`",
    "_ASSIGN": "`=`",
    "AUGMENT": "an assignment operator",
    "IN": "`in`",
    "LPAR": "`(`",
    "LSQB": "`[`",
    "LBRACE": "`{`",
    "_COMMA": "`,`",
    "_RPAR": "`)`",
    "_RSQB": "`]`",
    "_RBRACE": "`}`",
    "_DOT": "`.`",
    "FOR": "`for`",
    "DEF": "`def`",
    "_ELSE": "`else`",
    "_ELIF": "`elif`",
    "IF": "`if`",
    "_NEWLINE": "the end of the line",
    "_DEDENT": "the end of the block",
    "$END": "the end of the source",
}
"""Tokens in words, in the order in which a message lists them."""
_CONTINUES: Final = frozenset(
    (
        *("AND", "OR", "NOT", "IN", "IS", "IF", "COMPARISON", "BAR", "BIT_OPERATOR", "PLUS", "MINUS", "STAR", "POWER", "SLASH"),
        *("FLOOR_SLASH", "PERCENT", "_DOT", "LPAR", "LSQB", "AUGMENT", "_ASSIGN", "FOR"),
    )
)
"""What can follow any expression: named only where nothing else can follow."""
_AFTER_VALUE: Final = frozenset(("PLUS", "AND", "OR", "COMPARISON", "_DOT"))
_STARTS: Final = frozenset(("NAME", "NUMBER", "STRING", "TRUE", "FALSE", "NULL", "LPAR", "LSQB", "LBRACE", "MINUS", "TILDE", "NOT"))
_STATEMENTS: Final = frozenset(("RETURN", "BREAK", "CONTINUE", "PASS", "FOR", "IF", "DEF", "_DEDENT"))
_OPERATOR_HINTS: Final = {
    "&&": "; write `and`",
    "||": "; write `or`",
    "!": "; write `not`",
    ";": "; write one statement on a line",
    "\\": "; lines continue inside of brackets only",
    ":=": "; assign on a line of its own",
    "<>": "; write `!=`",
}
_CONSTRUCT_HINTS: Final = {
    "while": "; write `for i in range(n)`",
    "try": "; ask first, with `in`, `get` or `has`",
    "lambda": "; write a `def` above",
    "class": "; write a map",
    **dict.fromkeys(("import", "from", "load"), "; a program is one source"),
}
_ASSIGNED: Final = re.compile(r"[ \t]*(?:=(?!=)|\+=|-=|\*=|\|=)")


def unexpected_token(error: UnexpectedToken, text: str, layout: Layout) -> SyntaxMistake:
    """The mistake for a token that cannot stand where it stands."""
    token = error.token
    accepted = frozenset(error.accepts or error.expected)
    at = _place(token, layout)
    if token.type == "BAD_STRING":
        long = token[:3] in {'"""', "'''"}
        return SyntaxMistake("syntax.long_string" if long else "syntax.string", at)
    if token.type == "BAD_NUMBER":
        return SyntaxMistake("syntax.number", at, found=_cut(token))
    if token.type == "OTHER_STRING" and "NUMBER" in accepted:
        return SyntaxMistake("unsupported.fstring" if "f" in token.lower() else "unsupported.bytes", at)
    if token.type == "BAD_OPERATOR":
        return SyntaxMistake("syntax.operator", at, found=token, hint=_OPERATOR_HINTS.get(str(token), ""))
    if token.type in {"_DEDENT", "$END"} and layout.brackets:
        return SyntaxMistake("syntax.unclosed", position(layout.brackets[-1]), bracket=layout.brackets[-1])
    mistake = _reserved(token, accepted, text, layout) if token in RESERVED else None
    if mistake is not None:
        return mistake
    special = _special(token, accepted, layout)
    if special:
        return SyntaxMistake(special, at, found=_found(token))
    return SyntaxMistake("syntax.unexpected", at, found=_found(token), expected=_expected(accepted, layout), open=_still_open(at, layout))


def _still_open(at: At, layout: Layout) -> str:
    """A bracket of a line above that is open: as a rule what is really missing."""
    if not layout.brackets or position(layout.brackets[-1])[0] == at[0]:
        return ""
    return f"; the `{layout.brackets[-1]}` in line {position(layout.brackets[-1])[0]} is still open"


def unexpected_character(error: UnexpectedCharacters, text: str) -> SyntaxMistake:
    """The mistake for a character that begins no token."""
    character = text[error.pos_in_stream or 0]
    key = {"\r": "syntax.carriage_return", "\ufeff": "syntax.bom"}.get(character, "syntax.character")
    found = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
    return SyntaxMistake(key, (error.line, error.column), found=found)


def _reserved(token: Token, accepted: frozenset[str], text: str, layout: Layout) -> SyntaxMistake | None:
    """A reserved word: as a name, or at the beginning of a construct that the language has not."""
    word, at = str(token), position(token)
    statement = "RETURN" in accepted or "DEF" in accepted
    construct = statement or "NUMBER" in accepted
    assigned = _ASSIGNED.match(text, token.end_pos or 0) is not None
    if layout.last is not None and layout.last.type == "_DOT":
        return SyntaxMistake("syntax.reserved_field", at, word=word)
    if assigned and construct:
        return SyntaxMistake("syntax.reserved_field" if layout.brackets else "syntax.reserved_name", at, word=word)
    if "NAME" in accepted and not construct:
        return SyntaxMistake("syntax.reserved_name", at, word=word)
    if construct and word in ABSENT and (statement or word != "from"):
        return SyntaxMistake("unsupported.construct", at, what={"from": "import"}.get(word, word), hint=_CONSTRUCT_HINTS.get(word, ""))
    return SyntaxMistake("syntax.reserved", at, word=word) if token.type == "RESERVED" else None


def _special(token: Token, accepted: frozenset[str], layout: Layout) -> str:
    """The usual slips."""
    after_value = accepted & _AFTER_VALUE or ("IF" in accepted and "NUMBER" not in accepted)
    if token.type == "COMPARISON" and after_value:
        return "syntax.chained"
    if token.type == "FOR" and "NUMBER" not in accepted and layout.brackets:
        return "syntax.generator"
    if token.type == "_INDENT":
        return "syntax.indent"
    if token.type == "_ASSIGN" and "NUMBER" not in accepted and (layout.brackets or accepted & {"_COLON", "$END"}):
        return "syntax.equals"
    if token.type == "_COLON" and layout.brackets and layout.brackets[-1].type == "LSQB" and "_RSQB" in accepted:
        return "syntax.step"
    if token.type in {"_ELSE", "_ELIF"} and "RETURN" in accepted:
        return "syntax.else"
    if accepted == {"_ASSIGN"} or ("DEF" in accepted and "RETURN" not in accepted and token.type not in {"_DEDENT", "$END"}):
        return "syntax.top_level"
    return ""


def _found(token: Token) -> str:
    if token.type in {"_NEWLINE", "_INDENT", "_DEDENT", "$END"}:
        return _HUMAN[token.type]
    return "a string" if token.type == "STRING" else f"`{_cut(token)}`"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _expected(accepted: frozenset[str], layout: Layout) -> str:
    """What could stand there, in words."""
    words: list[str] = []
    rest = set(accepted)
    if "RETURN" in rest:
        words.append("a statement")
        rest -= _STARTS | _STATEMENTS
    elif "NUMBER" in rest:
        words.append("an expression")
        rest -= _STARTS
    elif rest & _AFTER_VALUE or "IF" in rest:
        rest = rest - _CONTINUES or rest
    if not layout.brackets and len(rest) > 1:
        rest.discard("_COMMA")
    if rest & {"_RPAR"}:
        rest.discard("_ASSIGN")
    words += [_HUMAN[name] for name in _HUMAN if name in rest]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "an operator"


def _place(token: Token, layout: Layout) -> At:
    """Where the token stands: indentation behind its spaces, the end of the source just after the last token."""
    if token.type not in {"$END", "_INDENT", "_DEDENT"}:
        return position(token)
    at_end = token.type == "$END" or token.end_pos == layout.length
    before = layout.last if at_end else token
    if before is None or before.end_line is None or before.end_column is None:
        return 1, 1
    return before.end_line, before.end_column
