"""The order of an answer, as bytes: a row's place is a key that sorts as the rows do, so a page goes on after the key of the last row.

A place is the keys of the values ordered by (inverted where descending), the type, a NUL and the id, these inverted where the last key of
the order is descending. It names no other row, and says where a row was that has changed or gone since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aggregate.engine import order
from aggregate.query.interface import Order
from aggregate.types import AggregateType

_INVERTED: Final = bytes(255 - byte for byte in range(256))


@dataclass(frozen=True, slots=True)
class Ordering:
    """What an answer is ordered by; nothing: by type and id."""

    keys: tuple[Order, ...]

    @property
    def paths(self) -> list[str]:
        """The paths, first one first."""
        return [key.path for key in self.keys]

    @property
    def descending(self) -> bool:
        """Whether what is equal in all keys is ordered by type and id descending."""
        return bool(self.keys) and self.keys[-1].descending

    def places(self, aggregate_type: AggregateType, ids: Sequence[bytes], keys: Sequence[bytes]) -> list[bytes]:
        """The places of rows of a type; `keys` are those of the values at `paths`, row by row."""
        ends = [self.end(aggregate_type, each) for each in ids]
        if not self.keys:
            return ends
        count, turns = len(self.keys), [key.descending for key in self.keys]
        own = [keys[at : at + count] for at in range(0, len(keys), count)]
        if any(turns):
            own = [[key.translate(_INVERTED) if turn else key for key, turn in zip(each, turns, strict=True)] for each in own]
        return [b"".join(each) + end for each, end in zip(own, ends, strict=True)]

    def end(self, aggregate_type: AggregateType, name: bytes) -> bytes:
        """What a row's place ends with."""
        end = b"%b\0%b" % (aggregate_type.encode(), name)
        return end.translate(_INVERTED) if self.descending else end

    def entry(self, aggregate_type: AggregateType, place: bytes) -> tuple[bytes, bytes]:
        """Of an order by one key: the index entries of a type from which, and before which, those after `place` are.

        A place of another type stands before or behind all of ours that have its value.
        """
        plain = place.translate(_INVERTED) if self.descending else place
        size = _key_size(plain)
        value, end = plain[:size], plain[size:]
        named, _, name = end[:-16], b"", end[-16:]
        ours = aggregate_type.encode() + b"\0"
        if named == ours:
            edge = value + name
            return (b"", edge) if self.descending else (edge + b"\0", b"")
        if (named > ours) == self.descending:  # ours still come
            return (b"", value + b"\xff" * 17) if self.descending else (value, b"")
        return (b"", value) if self.descending else (value + b"\xff" * 17, b"")


def _key_size(place: bytes) -> int:
    """The length of the first key in a place."""
    tag = place[:1]
    if tag in {order.BELOW, order.ABOVE}:
        stop = 0xFF if tag == order.BELOW else 0
        return place.index(stop, 2) + 1
    if tag < order.STRING:
        return 1
    at = 1
    while True:
        at = place.index(0, at)
        if place[at + 1] == 0:
            return at + 2
        at += 2
