"""`View`: what a projection holds, as of one moment: one read transaction. For one thread at a time."""

from __future__ import annotations

import uuid
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from aggregate.engine.packs import VISIBLE
from aggregate.query.interface import Row
from aggregate.query.stored import AFTER, SEQUENCE, Rows, StoredRow, cut_key, damaged, index_prefix, row_prefix, sequence_prefix
from aggregate.stream.positions import position_of
from aggregate.types import AggregateId, AggregateKey, AggregateType, Document, TenantId

FIRST_CHUNK: Final = 128
LONGEST_CHUNK: Final = 4096
MOST_CHOSEN: Final = 512
"""Rows that are fetched at once; each may be in another pack."""
FIRST_PACKS: Final = 4
MOST_PACKS: Final = 64
"""Of some 40 small rows each: what is looked at must lie in a processor's cache."""
ID: Final = 16

Entry = tuple[bytes, bytes]
"""The id of a row, and what is stored of it."""


class View:
    """One moment of a projection.

    Attributes:
        sequence: of the log, up to which the rows are.
        indexes: paths with an index, by type.
        incarnation: digest of what the rows are made of.
    """

    def __init__(self, transaction: Any, sequence: int, indexes: Mapping[AggregateType, tuple[str, ...]], incarnation: str) -> None:
        self._transaction = transaction
        self._rows = Rows(transaction)
        self.sequence = sequence
        self.indexes = indexes
        self.incarnation = incarnation

    def row(self, key: AggregateKey) -> Row | None:
        """One row, None where a query sees none."""
        raw = self._stored(key)
        return row_of(key, raw) if raw is not None and raw[0] & VISIBLE else None

    def packs(self, tenant_id: TenantId, aggregate_type: AggregateType, after: bytes = b"") -> Iterator[list[bytes]]:
        """The packs of a type's rows, by id, some at a time; those that may have rows after an id (16 bytes)."""
        prefix = row_prefix(tenant_id, aggregate_type)
        low = prefix + (after + b"\0" if after else b"")
        for chunk in self._walk(low, prefix + AFTER, (FIRST_PACKS, MOST_PACKS), values=True):
            yield [pack for _, pack in chunk]

    def chosen(self, tenant_id: TenantId, aggregate_type: AggregateType, ids: Sequence[bytes]) -> list[bytes]:
        """The packs that rows with these ids, which ascend, would be in."""
        prefix, cursor = row_prefix(tenant_id, aggregate_type), self._transaction.cursor()
        packs: list[bytes] = []
        at = 0
        while at < len(ids) and cursor.set_range(prefix + ids[at]):
            key, pack = cursor.item()
            if not key.startswith(prefix):
                break
            packs.append(pack)
            at = bisect_right(ids, key[len(prefix) :], at)
        return packs

    def entries(
        self, tenant_id: TenantId, aggregate_type: AggregateType, index: int, low: bytes, high: bytes, *, backwards: bool = False
    ) -> Iterator[list[bytes]]:
        """The entries of an index (key of the value, then the id) from `low` to before `high`, some at a time."""
        prefix = index_prefix(tenant_id, aggregate_type, index)
        at = len(prefix)
        for chunk in self._walk(prefix + low, prefix + high, (FIRST_CHUNK, LONGEST_CHUNK), values=False, backwards=backwards):
            yield [key[at:] for key in chunk]

    def cut_entries(self, tenant_id: TenantId, aggregate_type: AggregateType, index: int) -> int:
        """How many entries of an index stand for a value longer than the index looks at."""
        return int(SEQUENCE.unpack(self._transaction.get(cut_key(tenant_id, aggregate_type, index), bytes(8)))[0])

    def changed(
        self, tenant_id: TenantId, aggregate_type: AggregateType | None, after: int, most: int
    ) -> list[tuple[Row | None, Row | None]] | None:
        """The rows whose last change stands after a sequence: (None, the row), or (what is known of it, None) where none is to be seen.

        None: there are more than `most`.
        """
        prefix = sequence_prefix(tenant_id)
        found: list[tuple[Row | None, Row | None]] = []
        for chunk in self._walk(prefix + SEQUENCE.pack(after + 1), prefix + AFTER, (FIRST_CHUNK, LONGEST_CHUNK), values=True):
            for _, name in chunk:
                key = AggregateKey(tenant_id, AggregateType(name[: -ID - 1].decode()), id_of(name[-ID:]))
                if aggregate_type in {None, key.aggregate_type}:
                    raw = self._stored(key)
                    if raw is None:
                        raise damaged(ValueError(f"{key} has changed and is not there"))
                    found.append((None, row_of(key, raw)) if raw[0] & VISIBLE else (row_of(key, raw, hidden=True), None))
            if len(found) > most:
                return None
        return found

    def _stored(self, key: AggregateKey) -> bytes | None:
        return self._rows.get(row_prefix(key.tenant_id, key.aggregate_type), key.aggregate_id.bytes)

    def _walk(
        self,
        low: bytes,
        high: bytes,
        sizes: tuple[int, int],
        *,
        values: bool,
        backwards: bool = False,
    ) -> Iterator[list[Any]]:
        """Keys (with their values) from `low` to before `high`: chunks that get longer, made without running Python for each key."""
        cursor = self._transaction.cursor()
        if backwards:
            if not (cursor.set_range(high) and cursor.prev()) and not cursor.last():
                return
            if cursor.key() >= high:
                return  # nothing stands before it
            items = cursor.iterprev(keys=True, values=values)
        else:
            if not cursor.set_range(low):
                return
            items = cursor.iternext(keys=True, values=values)
        size, longest = sizes
        while chunk := list(islice(items, size)):
            outer = chunk[-1][0] if values else chunk[-1]
            if (outer < low) if backwards else (outer >= high):
                inside = [each for each in chunk if low <= (each[0] if values else each) < high]
                if inside:
                    yield inside
                return
            yield chunk
            size = min(2 * size, longest)


def id_of(raw: bytes) -> AggregateId:
    """The id of 16 bytes."""
    return AggregateId(str(uuid.UUID(bytes=raw)))


def row_of(key: AggregateKey, raw: bytes, *, hidden: bool = False) -> Row:
    """A stored row as a query gives it; `hidden`: without its document."""
    row = StoredRow.decode(raw)
    document = Document(b"null" if hidden else row.shown)
    return Row(key.tenant_id, key.aggregate_type, key.aggregate_id, row.version, document, position_of(row.sequence), row.time.decode())
