"""Ids and the sequences of their messages, ascending by id, as one `bytes`: there is one of these for every aggregate in memory.

    length of the prefix (1 byte), width (1), base (8, big endian), the prefix that all ids begin with,
    then of each id what follows the prefix, and its sequence less `base` in `width` bytes

The ids of an aggregate are mostly of the same weeks, so their first bytes are alike, and their sequences lie close together: 16 to 18 bytes
for each where 24 would be needed. An id that does not fit in has everything packed anew, which happens a few times in a life. No ids: b"".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MANY = 64
"""So many more are packed anew together with what there is; fewer are put into their places."""

LONGEST_PREFIX = 3
"""Bytes of a version 7 id that stay the same for hours: a longer prefix would soon not fit any more."""
LEAST_WIDTH = 3
"""Likewise: sequences of some 16 million messages."""

_ID = 16
_HEADER = 10


def pack(pairs: Iterable[tuple[bytes, int]]) -> bytes:
    """Ids and sequences, in whatever order; of one id that comes twice the last counts."""
    by_id = dict(pairs)
    if not by_id:
        return b""
    ids = sorted(by_id)
    prefix = _common(ids[0], ids[-1])
    base = min(by_id.values())
    width = max(LEAST_WIDTH, ((max(by_id.values()) - base).bit_length() + 7) // 8)
    skip = len(prefix)
    body = b"".join([raw[skip:] + (by_id[raw] - base).to_bytes(width, "big") for raw in ids])
    return b"".join([bytes((skip, width)), base.to_bytes(8, "big"), prefix, body])


def unpack(packed: bytes) -> list[tuple[bytes, int]]:
    """All of them, ascending by id."""
    if not packed:
        return []
    start, size, base = _shape(packed)
    prefix, rest = packed[_HEADER:start], _ID - (start - _HEADER)
    return [
        (prefix + packed[at : at + rest], base + int.from_bytes(packed[at + rest : at + size], "big"))
        for at in range(start, len(packed), size)
    ]


def count(packed: bytes) -> int:
    """How many."""
    if not packed:
        return 0
    start, size, _ = _shape(packed)
    return (len(packed) - start) // size


def id_at(packed: bytes, index: int) -> bytes:
    """The id of this index."""
    start, size, _ = _shape(packed)
    at = start + index * size
    return packed[_HEADER:start] + packed[at : at + size - packed[1]]


def is_greatest(packed: bytes, raw: bytes) -> bool:
    """Whether an id comes after all that are here."""
    return not packed or raw > _last(packed)


def find(packed: bytes, raw: bytes) -> int | None:
    """The sequence of an id, None where it is not among them."""
    if not packed or raw > _last(packed):  # the usual case: a new command's id is the greatest
        return None
    start, size, base = _shape(packed)
    if not raw.startswith(packed[_HEADER:start]):
        return None
    rest = raw[start - _HEADER :]
    at = packed.find(rest, start)
    while at >= 0 and (at - start) % size:
        at = packed.find(rest, at + 1)
    return None if at < 0 else base + int.from_bytes(packed[at + len(rest) : at + size], "big")


def insert(packed: bytes, raw: bytes, sequence: int) -> bytes:
    """With one more; one of the same id is replaced."""
    if not packed:
        return pack(((raw, sequence),))
    skip, width = packed[0], packed[1]
    start, size = _HEADER + skip, _ID - skip + width
    offset = sequence - int.from_bytes(packed[2:_HEADER], "big")
    if offset < 0 or offset >> 8 * width or raw[:skip] != packed[_HEADER:start]:
        return pack([*unpack(packed), (raw, sequence)])
    rest = raw[skip:]
    record = rest + offset.to_bytes(width, "big")
    if packed[-size:-width] < rest:  # the usual case
        return packed + record
    low, high = 0, (len(packed) - start) // size
    while low < high:
        middle = (low + high) // 2
        at = start + middle * size
        if packed[at : at + size - width] < rest:
            low = middle + 1
        else:
            high = middle
    at = start + low * size
    after = at + size if packed[at : at + len(rest)] == rest else at
    return packed[:at] + record + packed[after:]


def merge(packed: bytes, pairs: Sequence[tuple[bytes, int]]) -> bytes:
    """With all of these, as if inserted one after another."""
    if not packed or len(pairs) > MANY:
        return pack([*unpack(packed), *pairs])
    if len(pairs) > 1 and (behind := _appended(packed, sorted(dict(pairs).items()))):
        return behind
    for raw, sequence in pairs:
        packed = insert(packed, raw, sequence)
    return packed


def without_first(packed: bytes, number: int) -> bytes:
    """Without the `number` smallest."""
    start, size, _ = _shape(packed)
    return packed[:start] + packed[start + number * size :]


def _shape(packed: bytes) -> tuple[int, int, int]:
    """Where the records begin, the size of one, and the base of the sequences."""
    skip = packed[0]
    return _HEADER + skip, _ID - skip + packed[1], int.from_bytes(packed[2:_HEADER], "big")


def _appended(packed: bytes, ascending: Sequence[tuple[bytes, int]]) -> bytes:
    """With these behind the last one in one step; b"" where one does not belong there or does not fit in."""
    start, _, base = _shape(packed)
    width, skip = packed[1], start - _HEADER
    prefix, most = packed[_HEADER:start], 1 << 8 * packed[1]
    if ascending[0][0] <= _last(packed) or not ascending[-1][0].startswith(prefix):
        return b""
    if not all(0 <= sequence - base < most for _, sequence in ascending):
        return b""
    return packed + b"".join([raw[skip:] + (sequence - base).to_bytes(width, "big") for raw, sequence in ascending])


def _last(packed: bytes) -> bytes:
    skip, width = packed[0], packed[1]
    return packed[_HEADER : _HEADER + skip] + packed[-(_ID - skip + width) : -width]


def _common(one: bytes, other: bytes) -> bytes:
    """What both begin with."""
    length = 0
    while length < LONGEST_PREFIX and one[length] == other[length]:
        length += 1
    return one[:length]
