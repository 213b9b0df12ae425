"""`KnownIds`: which commands an aggregate has already seen, without keeping all of them.

The greatest version 7 ids are kept, with the sequence of the message that holds each. `floor` is the greatest one ever dropped. Hence an
id above the floor that is not kept was never committed, whatever any clock says; only an id at or below the floor has to be looked for
in the log. Ids of other UUID versions have no order in time: they are kept apart, and once one was dropped the answer for any that is
not kept is in the log.

Those of version 7 are kept packed (`packed_ids.py`), since there is one of these for every aggregate in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aggregate.handler import packed_ids

KEPT = 64
"""Ids kept of an aggregate that nobody is hurrying."""

SLACK = 8
"""So many more, before what is over is dropped in one go."""

RECENT_MILLISECONDS = 10_000
"""Ids this close to the newest are kept beyond `KEPT`: the retries of a busy aggregate's clients must not search the log."""

MOST = 4096
"""Ids kept of the busiest aggregate."""

_OTHER = 24
"""Bytes of a record of an id of another version: the id and its sequence."""


def id_bytes(command_id: str) -> bytes:
    """The 16 bytes of a canonical UUID."""
    return bytes.fromhex(command_id.replace("-", ""))


def id_text(raw: bytes) -> str:
    """The canonical text of 16 bytes."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _milliseconds(raw: bytes) -> int:
    return int.from_bytes(raw[:6], "big")


def _is_v7(raw: bytes) -> bool:
    return raw[6] >> 4 == 7


@dataclass(frozen=True, slots=True)
class KnownIds:
    """The command ids of one aggregate. Immutable; `with_ids` makes the next one.

    Attributes:
        packed: the version 7 ids and their sequences (see `packed_ids`).
        floor: the greatest version 7 id ever dropped, b"" while none was.
        others: records of ids of other versions, the newest last.
        others_dropped: whether one of those was ever dropped.
    """

    packed: bytes = b""
    floor: bytes = b""
    others: bytes = b""
    others_dropped: bool = False

    def sequence_of(self, command_id: str) -> int | None:
        """The sequence of the message that holds a kept id, None for one that is not kept."""
        raw = id_bytes(command_id)
        if _is_v7(raw):
            return packed_ids.find(self.packed, raw)
        at = _place(self.others, raw)
        return None if at < 0 else int.from_bytes(self.others[at + 16 : at + _OTHER], "big")

    def may_be_in_log(self, command_id: str) -> bool:
        """Whether an id that is not kept may stand in the log all the same; False is certain."""
        raw = id_bytes(command_id)
        return raw <= self.floor if _is_v7(raw) else self.others_dropped

    def never_seen(self, command_id: str) -> bool:
        """Whether an id is certainly new because it is greater than all; the usual case."""
        raw = id_bytes(command_id)
        return _is_v7(raw) and raw > self.floor and packed_ids.is_greatest(self.packed, raw)

    def with_ids(self, seen: Iterable[tuple[str, int]]) -> KnownIds:
        """With more ids and the sequences of their messages, the oldest beyond the bound dropped."""
        packed, others, floor, dropped = self.packed, self.others, self.floor, self.others_dropped
        new: list[tuple[bytes, int]] = []
        for command_id, sequence in seen:
            raw = id_bytes(command_id)
            if _is_v7(raw):
                if raw > floor or packed_ids.find(packed, raw) is not None:
                    new.append((raw, sequence))
            else:
                at = _place(others, raw)
                if at >= 0:
                    others = others[:at] + others[at + _OTHER :]
                others += raw + sequence.to_bytes(8, "big")
        if new:
            packed = packed_ids.insert(packed, *new[0]) if len(new) == 1 else packed_ids.merge(packed, new)
        if len(others) > KEPT * _OTHER:
            others, dropped = others[-KEPT * _OTHER :], True
        if (number := packed_ids.count(packed)) > KEPT + SLACK:
            floor, packed = _pruned(floor, packed, number)
        return KnownIds(packed, floor, others, dropped)

    def greatest(self) -> KnownIds:
        """Cut to the `KEPT` greatest ids, as a snapshot keeps them."""
        surplus = packed_ids.count(self.packed) - KEPT
        if surplus <= 0:
            return self
        floor, packed = _without_first(self.floor, self.packed, surplus)
        return KnownIds(packed, floor, self.others, self.others_dropped)

    def pairs(self) -> tuple[tuple[str, int], ...]:
        """All kept ids with their sequences, those of version 7 first, ascending."""
        others = self.others
        pairs = [(others[at : at + 16], int.from_bytes(others[at + 16 : at + _OTHER], "big")) for at in range(0, len(others), _OTHER)]
        return tuple((id_text(raw), sequence) for raw, sequence in (*packed_ids.unpack(self.packed), *pairs))

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[str, int]], floor: str, others_dropped: bool) -> KnownIds:
        """What `pairs`, `floor` and `others_dropped` of another one said."""
        known = cls(floor=id_bytes(floor) if floor else b"", others_dropped=others_dropped)
        return known.with_ids(pairs)

    @property
    def floor_text(self) -> str:
        """`floor` as a UUID's text, "" where nothing was dropped."""
        return id_text(self.floor) if self.floor else ""

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return len(self.packed) + len(self.others)


def _place(others: bytes, raw: bytes) -> int:
    """Index in bytes of the record of `raw`, -1 where there is none."""
    at = others.find(raw)
    while at >= 0 and at % _OTHER:
        at = others.find(raw, at + 1)
    return at


def _pruned(floor: bytes, packed: bytes, number: int) -> tuple[bytes, bytes]:
    """Drop from the front what is neither among the `KEPT` greatest nor recent, or over `MOST`; the new floor and the rest."""
    recent = _milliseconds(packed_ids.id_at(packed, number - 1)) - RECENT_MILLISECONDS
    cut = max(0, number - MOST)
    while cut < number - KEPT and _milliseconds(packed_ids.id_at(packed, cut)) < recent:
        cut += 1
    return _without_first(floor, packed, cut) if cut else (floor, packed)


def _without_first(floor: bytes, packed: bytes, number: int) -> tuple[bytes, bytes]:
    return max(floor, packed_ids.id_at(packed, number - 1)), packed_ids.without_first(packed, number)
