"""Literals: the value that the text of a number or string stands for."""

from __future__ import annotations

import re
from typing import Final

from aggregate.engine.pure import number
from aggregate.language.mistakes import SyntaxMistake
from aggregate.language.tree import At

_SIMPLE: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "/": "/",
    "\\": "\\",
    '"': '"',
    "'": "'",
}
_SPECIAL: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.)|)|[\x00-\x08\x0b-\x1f\ud800-\udfff]", re.DOTALL)


def number_text(text: str, at: At) -> str:
    """The canonical text of a number literal.

    Raises:
        SyntaxMistake: outside of the domain of numbers.
    """
    try:
        return number.to_text(number.from_text(text.replace("_", "")))
    except number.OutOfDomain:
        raise SyntaxMistake("syntax.number_domain", at) from None


def string_value(literal: str, at: At) -> str:
    """The value of a string literal, quotes included in `literal`.

    Raises:
        SyntaxMistake: an unknown escape, a surrogate without its other half, or a control character; at its place.
    """
    width = 3 if literal[:3] in {'"""', "'''"} else 1
    body = literal[width:-width]
    if _SPECIAL.search(body) is None:
        return body
    pieces: list[str] = []
    end = 0
    high: tuple[int, int] | None = None
    for match in _SPECIAL.finditer(body):
        place = match.start()
        if high is not None and place != end:
            raise _mistake("syntax.surrogate", literal, width + high[0], at)
        pieces.append(body[end:place])
        end = match.end()
        code = _code(match)
        if code is None:
            raise _mistake(_problem(match[0][0]), literal, width + place, at)
        if high is not None:
            if not (match[1] and 0xDC00 <= code <= 0xDFFF):
                raise _mistake("syntax.surrogate", literal, width + high[0], at)
            code = 0x10000 + ((high[1] - 0xD800) << 10) + (code - 0xDC00)
            high = None
        elif 0xD800 <= code <= 0xDBFF and match[1]:
            high = (place, code)
            continue
        elif 0xD800 <= code <= 0xDFFF:
            raise _mistake("syntax.surrogate", literal, width + place, at)
        pieces.append(chr(code))
    if high is not None:
        raise _mistake("syntax.surrogate", literal, width + high[0], at)
    pieces.append(body[end:])
    return "".join(pieces)


def _code(match: re.Match[str]) -> int | None:
    """The code point (or half of one) that an escape stands for."""
    digits = match[1] or match[2]
    if digits:
        code = int(digits, 16)
        return code if code <= 0x10FFFF else None
    if match[3] in _SIMPLE:
        return ord(_SIMPLE[match[3]])
    return None


def _problem(first: str) -> str:
    if first == "\\":
        return "syntax.escape"
    return "syntax.control" if first < " " else "syntax.surrogate"


def _mistake(key: str, literal: str, offset: int, at: At) -> SyntaxMistake:
    before = literal[:offset]
    lines = before.count("\n")
    column = len(before) - before.rfind("\n") if lines else at[1] + offset
    return SyntaxMistake(key, (at[0] + lines, column))
