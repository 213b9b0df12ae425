"""Documents: RFC 8259 strictly, UTF-8, no byte order mark, no duplicate keys, no lone surrogates, bounded depth, sizes and numbers.

The standard library's scanner reads what is sound; the first doubt hands the text to the careful reader (`json_careful.py`), which
either reads it or says exactly what is wrong and at which byte. Numbers never pass through a binary float.
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

from aggregate.engine.pure import number
from aggregate.engine.pure.failure import Failure
from aggregate.engine.pure.json_careful import CarefulReader
from aggregate.engine.pure.json_writer import write
from aggregate.engine.pure.value import MAX_DEPTH, MAX_KEY, MAX_LIST, MAX_MAP, MAX_STRING, MAX_TEXT, Value

_SMALL: Final = 256
"""No key of a text of so many bytes can be too long."""
_GROWTH: Final = 8
"""Canonical JSON is less than so many times as long as the text it was read from (`1e33` is the worst)."""
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_NO_BRACKETS: Final = re.compile(rb'"[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+(?:"|\Z)|[^\[\]{}"]+', re.DOTALL)
"""Strings (an open one to the end of the text, so that nothing is looked at twice) and what lies between brackets."""

_INNERMOST: Final = re.compile(rb"\[\]|\{\}")


class _Doubt(Exception):
    """The quick reader leaves the text to the careful one."""


def read(raw: bytes, document: str) -> Value:
    """The value of a document of the language; `document` is what messages call it.

    Raises:
        Failure: `bad_input.*` or `limit.document_*`.
    """
    if len(raw) > MAX_TEXT:
        raise Failure("limit.document_text", document=document, length=len(raw))
    value = read_part(raw, document, MAX_DEPTH)
    if len(raw) * _GROWTH > MAX_TEXT:
        try:
            write(value)
        except Failure as failure:
            raise Failure("limit.document_canonical", document=document) from failure
    return value


def read_part(raw: bytes, document: str, depth: int) -> Value:
    """As `read`, without the limits of size and with another one of depth: for texts that hold documents."""
    raw = bytes(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failure("bad_input.utf8", document=document, offset=error.start) from error
    try:
        return _quick(raw, text, depth)
    except (_Doubt, ValueError, ArithmeticError):
        return CarefulReader(text, document, depth).read()


def _quick(raw: bytes, text: str, depth: int) -> Value:
    if b"\\u" in raw and _SURROGATE.search(raw):
        raise _Doubt
    if raw.count(b"[") + raw.count(b"{") > depth and nests_deeper(raw, depth):
        raise _Doubt
    value: Value = (_SMALL_DECODER if len(raw) <= _SMALL else _DECODER).decode(text)
    if len(raw) > MAX_STRING:
        _check_sizes(value)
    return value


def nests_deeper(raw: bytes, depth: int) -> bool:
    """True where brackets nest deeper than `depth` or do not match: the scanner would recurse on them."""
    brackets = _NO_BRACKETS.sub(b"", raw)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = _INNERMOST.sub(b"", brackets)
    return bool(brackets)


def _check_sizes(value: Value) -> None:
    stack = [value]
    while stack:
        value = stack.pop()
        if type(value) is str:
            if len(value) > MAX_STRING:
                raise _Doubt
        elif type(value) is list:
            if len(value) > MAX_LIST:
                raise _Doubt
            stack.extend(value)
        elif type(value) is dict:
            stack.extend(value.values())


def _small_object(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise _Doubt
    return entries


def _object(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    entries = dict(pairs)
    if len(entries) != len(pairs) or len(entries) > MAX_MAP or (entries and max(map(len, entries)) > MAX_KEY):
        raise _Doubt
    return entries


def _integer(text: str) -> number.Number:
    if len(text) > number.DIGITS:
        return number.from_text(text)
    return int(text)


def _constant(text: str) -> NoReturn:
    raise _Doubt


_SMALL_DECODER = json.JSONDecoder(
    object_pairs_hook=_small_object, parse_float=number.from_text, parse_int=_integer, parse_constant=_constant
)
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=number.from_text, parse_int=_integer, parse_constant=_constant)
