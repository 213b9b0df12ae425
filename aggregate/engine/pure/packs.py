"""Packs: rows of one type, many to a stored value, sorted by id, so that a scan reads them where they lie.

    pack   01, count (2), ids (16 each, ascending), ends (4 each: where a row ends, counted from the first row's beginning), rows
    row    flags (1), version (8), sequence (8), time (24), where SHAPED the size of what is shown (4) and that, the state

Numbers are big endian. A pack is full at `most` bytes; a row larger than that has one of its own. What is no pack, or no row where one
should be, is a ValueError on both twins. `native/src/packs.rs` and `scanning.rs` are the twins of this file.
"""

from __future__ import annotations

import struct
import uuid
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aggregate.engine.pure.order_key import order_keys

if TYPE_CHECKING:
    from aggregate.engine.pure.program import Program

FORMAT: Final = 1
VISIBLE: Final = 1
SHAPED: Final = 2

ROW_HEAD: Final = struct.Struct(">BQQ24s")
"""Flags, version, sequence and time of a row."""
SIZE: Final = struct.Struct(">I")

_HEAD: Final = struct.Struct(">BH")
_ID: Final = 16

Row = tuple[bytes, bytes]
"""An id and what is stored under it."""


class _Broken(ValueError):
    def __init__(self) -> None:
        super().__init__("not a pack of rows")


def rows(pack: bytes) -> list[Row]:
    """All rows of a pack."""
    if len(pack) < _HEAD.size:
        raise _Broken
    form, count = _HEAD.unpack_from(pack)
    first = _HEAD.size + count * (_ID + SIZE.size)
    if form != FORMAT or not count or len(pack) < first:
        raise _Broken
    ids = [pack[at : at + _ID] for at in range(_HEAD.size, _HEAD.size + count * _ID, _ID)]
    ends = [0, *(end for (end,) in SIZE.iter_unpack(pack[first - count * SIZE.size : first]))]
    if any(a >= b for a, b in pairwise(ids)) or any(a > b for a, b in pairwise(ends)) or first + ends[-1] != len(pack):
        raise _Broken
    return [(name, pack[first + start : first + end]) for name, (start, end) in zip(ids, pairwise(ends), strict=True)]


def find(pack: bytes, name: bytes) -> bytes | None:
    """The row with this id, None where the pack has none."""
    return dict(rows(pack)).get(name)


def put(pack: bytes, name: bytes, row: bytes, most: int) -> list[Row]:
    """A pack (b"": none yet) with a row in it, in place of the one with its id: the packs that come of it, each with its last id.

    A full pack is halved; one that grows at its end is left as it is, so that ids that ascend fill packs wholly.
    """
    found = rows(pack) if pack else []
    at = bisect_left(found, name, key=lambda each: each[0])
    if at < len(found) and found[at][0] == name:
        found[at] = (name, row)
    else:
        found.insert(at, (name, row))
        if at and at == len(found) - 1 and _size(found) > most:
            return [*_cut(found[:at], most), *_cut(found[at:], most)]
    return list(_cut(found, most))


def shown(row: bytes) -> bytes:
    """What queries see of a row that can be seen."""
    start = ROW_HEAD.size
    if len(row) < start:
        raise _Broken
    if not row[0] & SHAPED:
        return row[start:]
    start += SIZE.size
    end = start + int.from_bytes(row[ROW_HEAD.size : start], "big")
    if len(row) < max(start, end):
        raise _Broken
    return row[start:end]


@dataclass(frozen=True, slots=True)
class Scanned:
    """Outcome of a scan: see `aggregate.engine.interface.Scanned`."""

    looked: int = 0
    errors: int = 0
    first_error: bytes | None = None
    gas: int = 0
    error: bytes | None = None
    found: list[tuple[Row, bytes]] = field(default_factory=list)
    """Rows that match, with their documents."""

    @property
    def count(self) -> int:
        return len(self.found)

    def entries(self) -> list[Row]:
        return [entry for entry, _ in self.found]

    def keys(self, paths: Sequence[str]) -> list[bytes]:
        return order_keys([document for _, document in self.found], paths)


def scan(packs: Sequence[bytes], after: bytes, chosen: bytes | None) -> Scanned:
    """All rows of packs that can be seen; see `aggregate.engine.interface.Program.scan`."""
    found = list(_seen(packs, after, chosen))
    return Scanned(len(found), found=found)


def filtered(
    program: Program, packs: Sequence[bytes], after: bytes, chosen: bytes | None, named: tuple[str, str] | None, gas: tuple[int, int]
) -> Scanned:
    """See `aggregate.engine.interface.Program.scan`."""
    found = list(_seen(packs, after, chosen))
    metas = None if named is None else [_meta(entry, named) for entry, _ in found]
    outcome = program.matches([document for _, document in found], metas, *gas)
    hits = [each for each, flag in zip(found, outcome.rows, strict=False) if flag == 1]
    return Scanned(len(found), outcome.errors, outcome.first_error, outcome.gas, outcome.error, hits)


def _seen(packs: Sequence[bytes], after: bytes, chosen: bytes | None) -> Iterator[tuple[Row, bytes]]:
    names = None if chosen is None else {chosen[at : at + _ID] for at in range(0, len(chosen), _ID)}
    for pack in packs:
        for name, row in rows(pack):
            if name > after and (names is None or name in names):
                if len(row) < ROW_HEAD.size:
                    raise _Broken
                if row[0] & VISIBLE:
                    yield (name, row), shown(row)


def _meta(entry: Row, named: tuple[str, str]) -> bytes:
    """What a filter sees as `meta`: canonical JSON, as names and ids hold nothing that JSON would escape."""
    name, row = entry
    version = int.from_bytes(row[1:9], "big")
    return f'{{"id":"{uuid.UUID(bytes=name)}","tenant_id":"{named[0]}","type":"{named[1]}","version":{version}}}'.encode()


def _cut(found: Sequence[Row], most: int) -> Iterator[Row]:
    """Packs of some rows, none larger than `most` but those of one row."""
    size = _size(found)
    if size <= most or len(found) == 1:
        yield found[-1][0], _packed(found)
        return
    left = 1
    while 2 * _size(found[: left + 1]) <= size:
        left += 1
    yield from _cut(found[:left], most)
    yield from _cut(found[left:], most)


def _size(found: Sequence[Row]) -> int:
    return _HEAD.size + sum([_ID + SIZE.size + len(row) for _, row in found])


def _packed(found: Sequence[Row]) -> bytes:
    ends, at = [], 0
    for _, row in found:
        at += len(row)
        ends.append(SIZE.pack(at))
    return b"".join((_HEAD.pack(FORMAT, len(found)), *(name for name, _ in found), *ends, *(row for _, row in found)))
