"""Keys that sort as values do: the bytes of a document's values at some paths, for indexes and orders of queries.

The order is total: null and what is missing, `false`, `true`, numbers by value, strings by code points, lists, maps; lists and maps among
themselves by their canonical text. Where the language orders two values, the order is the language's. No key is the beginning of
another, so keys can be joined, or followed by anything, and the whole still sorts by its parts.

    null 10 | false 20 | true 21 | number below zero 30, zero 31, above 32 | string 40 | list 50 | map 60

A number is its decimal exponent (one byte, 128 for 0.1 to 1), its digits in pairs, each + 1, and 00; below zero all of that inverted. A
text is its UTF-8 with 00 as 00 FF, and 00 00; one that is cut ends in 00 01 instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from aggregate.engine.pure.json_reader import read
from aggregate.engine.pure.json_writer import write
from aggregate.engine.pure.number import Number, parts
from aggregate.engine.pure.value import LISTS, MAPS, NUMBERS, Value

NULL: Final = b"\x10"
FALSE: Final = b"\x20"
TRUE: Final = b"\x21"
BELOW: Final = b"\x30"
ZERO: Final = b"\x31"
ABOVE: Final = b"\x32"
STRING: Final = b"\x40"
LIST: Final = b"\x50"
MAP: Final = b"\x60"

END: Final = b"\x00\x00"
CUT: Final = b"\x00\x01"

_BIAS: Final = 128
_INVERTED: Final = bytes(255 - byte for byte in range(256))


def order_keys(documents: Sequence[bytes], paths: Sequence[str], most: int = 0) -> list[bytes]:
    """The keys of the values at `paths` in each document, document by document; each text cut to `most` bytes (0: never).

    Args:
        documents: canonical JSON.
        paths: split at every `.`, as `has` of the language does it; what leads nowhere is null.
        most: bytes of a string, list or map that count.
    """
    steps = [path.split(".") for path in paths]
    return [_key(_at(document, each), most) for document in map(_read, documents) for each in steps]


def value_key(value: Any, most: int = 0) -> bytes:
    """The key of a scalar in Python's types: None, bool, int, Decimal, str."""
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int), "a number of the language is finite"
        coefficient = int("".join(map(str, digits)))
        return _number(-coefficient if sign else coefficient, -exponent)
    return _key(value, most)


def key_value(key: bytes) -> Any:
    """The value, in Python's types, whose key this is (a list or map as its canonical text, bytes)."""
    tag = key[:1]
    if tag in {STRING, LIST, MAP}:
        text = key[1:-2].replace(b"\x00\xff", b"\x00")
        return text.decode() if tag == STRING else text
    if tag in {BELOW, ABOVE}:
        return _number_of(key[1:] if tag == ABOVE else key[1:].translate(_INVERTED), tag == BELOW)
    return {NULL: None, FALSE: False, TRUE: True, ZERO: 0}[tag]


def _read(document: bytes) -> Value:
    return read(document, "state")


def _at(value: Value, steps: Sequence[str]) -> Value:
    for step in steps:
        if type(value) not in MAPS:
            return None
        value = value.get(step)
    return value


def _key(value: Value, most: int) -> bytes:
    if value is None:
        return NULL
    if value is True or value is False:
        return TRUE if value else FALSE
    if type(value) in NUMBERS:
        return _number(*parts(value))
    if type(value) in LISTS or type(value) in MAPS:
        return (LIST if type(value) in LISTS else MAP) + _text(write(value), most)
    return STRING + _text(value.encode(), most)


def _number(coefficient: int, scale: int) -> bytes:
    if not coefficient:
        return ZERO
    digits = str(abs(coefficient))
    exponent = len(digits) - scale
    digits = digits.rstrip("0")
    pairs = bytes(int(f"{digits[at : at + 2]:0<2}") + 1 for at in range(0, len(digits), 2))
    body = bytes([_BIAS + exponent]) + pairs + b"\0"
    return ABOVE + body if coefficient > 0 else BELOW + body.translate(_INVERTED)


def _number_of(body: bytes, below: bool) -> Number | Decimal:
    exponent = body[0] - _BIAS
    digits = "".join(f"{byte - 1:02}" for byte in body[1:-1])
    coefficient, places = int(digits), len(digits) - exponent
    if below:
        coefficient = -coefficient
    whole, rest = divmod(coefficient, 10**places) if places > 0 else (coefficient * 10**-places, 0)
    return whole if not rest else Decimal(f"{coefficient}E{-places}")


def _text(text: bytes, most: int) -> bytes:
    escaped = text.replace(b"\0", b"\0\xff")
    if not most or len(escaped) <= most:
        return escaped + END
    return escaped[:most].removesuffix(b"\0") + CUT
