"""Canonical JSON of values, by a walk that stops at the limits of depth and size.

Keys in order of code points, no spaces, raw UTF-8, numbers in plain decimal. The walk here costs no gas; `walk.py` has the metered one.
"""

from __future__ import annotations

from aggregate.engine.pure.failure import Failure
from aggregate.engine.pure.value import LISTS, MAPS, MAX_DEPTH, MAX_LIST, MAX_TEXT, Value, key_text, scalar_text


def write(value: Value, limit: int = MAX_TEXT) -> bytes:
    """The canonical text as UTF-8.

    Raises:
        Failure: `depth.value` at the 65th level, `limit.text` where the text grows beyond `limit` bytes, `limit.list` for a range of more
            than 100,000 elements; whichever comes first in the order of the text.
    """
    out: list[bytes] = []
    _write(value, 1, out, limit)
    return b"".join(out)


def _write(value: Value, level: int, out: list[bytes], room: int) -> int:
    """Append the text of `value`; returns the bytes of room left."""
    kind = type(value)
    if kind in MAPS:
        room = _open(level, out, b"{", room)
        first = True
        for key in sorted(value):
            text = key_text(key).encode()
            if not first:
                out.append(b",")
                room -= 1
            first = False
            room = _put(out, text, room)
            out.append(b":")
            room = _write(value[key], level + 1, out, room - 1)
        return _put(out, b"}", room)
    if kind in LISTS:
        room = _open(level, out, b"[", room, len(value) if kind is range else 0)
        first = True
        for item in value:
            if not first:
                out.append(b",")
                room -= 1
            first = False
            room = _write(item, level + 1, out, room)
        return _put(out, b"]", room)
    return _put(out, scalar_text(value).encode(), room)


def _open(level: int, out: list[bytes], bracket: bytes, room: int, length: int = 0) -> int:
    if level > MAX_DEPTH:
        raise Failure("depth.value")
    if length > MAX_LIST:
        raise Failure("limit.list")
    return _put(out, bracket, room)


def _put(out: list[bytes], text: bytes, room: int) -> int:
    room -= len(text)
    if room < 0:
        raise Failure("limit.text")
    out.append(text)
    return room
