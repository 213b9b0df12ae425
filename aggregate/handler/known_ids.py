"""`KnownIds`: which commands an aggregate has already seen, without keeping all of them.

The greatest version 7 ids are kept, with the sequence of the message that holds each. `floor` is the greatest one ever dropped. Hence an
id above the floor that is not kept was never committed, whatever any clock says; only an id at or below the floor has to be looked for
in the log. Ids of other UUID versions have no order in time: they are kept apart, and once one was dropped the answer for any that is
not kept is in the log.

Kept packed, 24 bytes an id, since there is one of these for every aggregate in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

KEPT = 64
"""Ids kept of an aggregate that nobody is hurrying."""

RECENT_MILLISECONDS = 10_000
"""Ids this close to the newest are kept beyond `KEPT`: the retries of a busy aggregate's clients must not search the log."""

MOST = 4096
"""Ids kept of the busiest aggregate."""

_ID = 16
_RECORD = 24


def id_bytes(command_id: str) -> bytes:
    """The 16 bytes of a canonical UUID."""
    return bytes.fromhex(command_id.replace("-", ""))


def id_text(raw: bytes) -> str:
    """The canonical text of 16 bytes."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _record(raw: bytes, sequence: int) -> bytes:
    return raw + sequence.to_bytes(8, "big")


def _place(packed: bytes, raw: bytes, *, ascending: bool) -> int:
    """Index in bytes of the record of `raw`, -1 where there is none."""
    if ascending and raw > packed[-_RECORD:-8]:
        return -1  # the usual case: a new command's id is the greatest
    at = packed.find(raw)
    while at >= 0 and at % _RECORD:
        at = packed.find(raw, at + 1)
    return at


def _milliseconds(raw: bytes) -> int:
    return int.from_bytes(raw[:6], "big")


def _inserted(packed: bytes, raw: bytes, sequence: int) -> bytes:
    """`packed` (ascending by id) with the record in its place; a record of the same id is replaced."""
    record = _record(raw, sequence)
    if not packed or packed[-_RECORD:-8] < raw:
        return packed + record
    low, high = 0, len(packed) // _RECORD
    while low < high:
        middle = (low + high) // 2
        if packed[middle * _RECORD : middle * _RECORD + _ID] < raw:
            low = middle + 1
        else:
            high = middle
    at = low * _RECORD
    after = at + _RECORD if packed[at : at + _ID] == raw else at
    return packed[:at] + record + packed[after:]


def _is_v7(raw: bytes) -> bool:
    return raw[6] >> 4 == 7


@dataclass(frozen=True, slots=True)
class KnownIds:
    """The command ids of one aggregate. Immutable; `with_ids` makes the next one.

    Attributes:
        packed: records of the version 7 ids, ascending: 16 bytes id, 8 bytes sequence.
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
        ascending = _is_v7(raw)
        packed = self.packed if ascending else self.others
        at = _place(packed, raw, ascending=ascending)
        return None if at < 0 else int.from_bytes(packed[at + _ID : at + _RECORD], "big")

    def may_be_in_log(self, command_id: str) -> bool:
        """Whether an id that is not kept may stand in the log all the same; False is certain."""
        raw = id_bytes(command_id)
        return raw <= self.floor if _is_v7(raw) else self.others_dropped

    def with_ids(self, seen: Iterable[tuple[str, int]]) -> KnownIds:
        """With more ids and the sequences of their messages, the oldest beyond the bound dropped."""
        packed, others, floor, dropped = self.packed, self.others, self.floor, self.others_dropped
        for command_id, sequence in seen:
            raw = id_bytes(command_id)
            if _is_v7(raw):
                if raw > floor or _place(packed, raw, ascending=True) >= 0:
                    packed = _inserted(packed, raw, sequence)
            else:
                at = _place(others, raw, ascending=False)
                if at >= 0:
                    others = others[:at] + others[at + _RECORD :]
                others += _record(raw, sequence)
        if len(others) > KEPT * _RECORD:
            others, dropped = others[-KEPT * _RECORD :], True
        if len(packed) > KEPT * _RECORD:
            floor, packed = _pruned(floor, packed)
        return KnownIds(packed, floor, others, dropped)

    def greatest(self) -> KnownIds:
        """Cut to the `KEPT` greatest ids, as a snapshot keeps them."""
        if len(self.packed) <= KEPT * _RECORD:
            return self
        cut = len(self.packed) - KEPT * _RECORD
        floor = max(self.floor, self.packed[cut - _RECORD : cut - 8])
        return KnownIds(self.packed[cut:], floor, self.others, self.others_dropped)

    def pairs(self) -> tuple[tuple[str, int], ...]:
        """All kept ids with their sequences, those of version 7 first, ascending."""
        both = self.packed + self.others
        return tuple(
            (id_text(both[at : at + _ID]), int.from_bytes(both[at + _ID : at + _RECORD], "big")) for at in range(0, len(both), _RECORD)
        )

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
        return len(self.packed) + len(self.others) + 200


def _pruned(floor: bytes, packed: bytes) -> tuple[bytes, bytes]:
    """Drop from the front what is neither among the `KEPT` greatest nor recent, or over `MOST`; the new floor and the rest."""
    count = len(packed) // _RECORD
    keep_from = count - KEPT
    recent = _milliseconds(packed[-_RECORD:]) - RECENT_MILLISECONDS
    cut = max(0, count - MOST)
    while cut < keep_from and _milliseconds(packed[cut * _RECORD : cut * _RECORD + 6]) < recent:
        cut += 1
    if cut == 0:
        return floor, packed
    last_dropped = packed[(cut - 1) * _RECORD : (cut - 1) * _RECORD + _ID]
    return max(floor, last_dropped), packed[cut * _RECORD :]
