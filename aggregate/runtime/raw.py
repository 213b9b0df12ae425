"""JSON taken apart without reading it: the members of an object and the elements of an array as the bytes that stand there.

So each argument of a batch line reaches the engine's own reader as it was written: no number passes through a double, no duplicate
key vanishes, nesting counts from the argument. What is wrong inside of a part is for its reader to find.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aggregate.engine.pure.failure import Failure
from aggregate.engine.pure.json_reader import read
from aggregate.engine.pure.value import shown

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^,:\[\]{}\" \t\r\n]+")
_PIECE: Final = re.compile(rb'[\[{]|[\]}]|"[^"\\]*(?:\\.[^"\\]*)*"|[^"\[\]{}]+', re.DOTALL)


def members(text: bytes, document: str) -> Iterator[tuple[str, bytes]]:
    """Names and raw values of the object `text`, in order; `document` names it in messages.

    Raises:
        Failure: no object, or a name that stands twice; what came before has been given already.
    """
    seen: set[str] = set()
    for start, end, value in _parts(text, b"{", b"}", document):
        name = read(text[start:end], document)
        assert type(name) is str
        if name in seen:
            raise Failure("bad_input.duplicate", document=document, key=shown(name), offset=start)
        seen.add(name)
        yield name, value


def elements(text: bytes, document: str) -> list[bytes]:
    """The raw elements of the array `text`.

    Raises:
        Failure: no array.
    """
    return [value for _, _, value in _parts(text, b"[", b"]", document)]


def _parts(text: bytes, opening: bytes, closing: bytes, document: str) -> Iterator[tuple[int, int, bytes]]:
    """Start and end of the name (of an element: of nothing) and the raw value of each part."""
    place = _expect(text, _skip(text, 0), opening, document)
    if text[place : place + 1] == closing:
        place = _skip(text, place + 1)
    else:
        while True:
            start = end = place
            if opening == b"{":
                match = _STRING.match(text, place)
                if match is None:
                    raise _unexpected(text, place, document)
                end = match.end()
                place = _expect(text, _skip(text, end), b":", document)
            value_end = _value_end(text, place, document)
            yield start, end, text[place:value_end]
            place = _skip(text, value_end)
            if text[place : place + 1] == closing:
                place = _skip(text, place + 1)
                break
            place = _expect(text, place, b",", document)
    if place != len(text):
        raise Failure("bad_input.trailing", document=document, offset=place)


def _skip(text: bytes, place: int) -> int:
    match = _SPACE.match(text, place)
    assert match is not None
    return match.end()


def _expect(text: bytes, place: int, mark: bytes, document: str) -> int:
    if text[place : place + 1] != mark:
        raise _unexpected(text, place, document)
    return _skip(text, place + 1)


def _value_end(text: bytes, place: int, document: str) -> int:
    """Where the value that begins at `place` ends, whatever is in it."""
    if text[place : place + 1] not in {b"[", b"{"}:
        match = _STRING.match(text, place) or _SCALAR.match(text, place)
        if match is None:
            raise _unexpected(text, place, document)
        return match.end()
    depth = 0
    while True:
        match = _PIECE.match(text, place)
        if match is None:
            raise Failure("bad_input.end", document=document)
        place = match.end()
        piece = match[0][:1]
        depth += (piece in b"[{") - (piece in b"]}")
        if depth == 0:
            return place


def _unexpected(text: bytes, place: int, document: str) -> Failure:
    if place >= len(text):
        return Failure("bad_input.end", document=document)
    return Failure("bad_input.character", document=document, offset=place)
