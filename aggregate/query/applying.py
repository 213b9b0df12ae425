"""Messages of the log into rows: folded by aggregate, with their indexes, within one transaction of the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aggregate.engine import order
from aggregate.engine.packs import SHAPED, VISIBLE
from aggregate.errors import Unavailable
from aggregate.query.definitions import Definitions, TypeProjection, Unshapeable
from aggregate.query.interface import Changed
from aggregate.query.store import Store
from aggregate.query.stored import (
    FAILED,
    INDEX_TEXT,
    SEQUENCE,
    TIME_SIZE,
    Rows,
    StoredRow,
    cut_key,
    index_prefix,
    row_prefix,
    sequence_prefix,
)
from aggregate.query.view import row_of
from aggregate.stream.headers import MESSAGE_ID
from aggregate.stream.interface import StoredMessage
from aggregate.stream.subjects import key_of
from aggregate.types import AggregateKey, TenantId
from aggregate.types.canary import Canary

log = logging.getLogger("aggregate.query")

_NO_TIME: Final = bytes(TIME_SIZE)

Changes = dict[TenantId, list[Changed]]
Work = list[tuple[AggregateKey, TypeProjection, list[StoredMessage]]]


class Outdated(Unavailable):
    """A message was decided by a newer program than this node has: its events cannot be folded here."""

    def __init__(self, key: AggregateKey, generation: int) -> None:
        text = f"{key} was written by a newer program than this node has (generation {generation}); update the node"
        super().__init__(text, reason="outdated_program")


@dataclass(slots=True)
class Applied:
    """What a batch did.

    Attributes:
        changes: what readers see of it, by tenant; empty where nobody asked.
        failed: aggregates whose history could not be folded further.
    """

    changes: Changes
    failed: int


class Applier:
    """Applies messages to a store.

    Args:
        wanted: whether the rows of a tenant are to be kept here.
    """

    def __init__(self, store: Store, definitions: Definitions, wanted: Callable[[TenantId], bool]) -> None:
        self._store = store
        self._definitions = definitions
        self._wanted = wanted

    def apply(self, lasting: Sequence[StoredMessage], *, tell: bool) -> Applied:
        """Fold messages in, at least one, all or nothing. None of them expires: such hold nothing but refusals. `tell`: say what changed.

        Raises:
            Outdated: nothing was applied.
            StorageError: nothing was applied.
        """
        work = self._work(lasting, lambda tenant_id: self._store.holdings.takes(tenant_id, self._wanted))
        newest = lasting[-1]
        canary = Canary(newest.sequence, newest.headers.get(MESSAGE_ID, ""), newest.time)
        return self._store.write(lambda transaction: _Writing(transaction, tell).run(work), canary)

    def bring(self, messages: Sequence[StoredMessage], standing: bytes, tenants: frozenset[TenantId]) -> None:
        """Fold in messages of tenants that are coming, and say how they stand then (`Holdings`), all or nothing. None of them expires.

        Raises:
            Outdated, StorageError: nothing was applied.
        """
        work = self._work(messages, tenants.__contains__)
        self._store.holdings.put(lambda transaction: _Writing(transaction, tell=False).run(work), standing, tenants)

    def _work(self, messages: Sequence[StoredMessage], wanted: Callable[[TenantId], bool]) -> Work:
        """The messages by aggregate: of projected types and wanted tenants."""
        groups: dict[str, list[StoredMessage]] = {}
        for message in messages:
            groups.setdefault(message.subject, []).append(message)
        work: Work = []
        for subject, group in groups.items():
            key = key_of(subject)
            projection = self._definitions.types.get(key.aggregate_type)
            if wanted(key.tenant_id) and projection is not None:
                work.append((key, projection, group))
        return work


class _Writing:
    """One transaction."""

    def __init__(self, transaction: Any, tell: bool) -> None:
        self._transaction = transaction
        self._rows = Rows(transaction)
        self._tell = tell
        self._applied = Applied({}, 0)

    def run(self, work: Work) -> Applied:
        for key, projection, messages in work:
            raw = self._rows.get(row_prefix(key.tenant_id, key.aggregate_type), key.aggregate_id.bytes)
            old = None if raw is None else StoredRow.decode(raw)
            new = self._folded(key, projection, old, messages)
            if new is not None:
                self._put(key, projection, old, new)
        return self._applied

    def _folded(
        self, key: AggregateKey, projection: TypeProjection, old: StoredRow | None, messages: list[StoredMessage]
    ) -> StoredRow | None:
        """The row after the messages, None where they change nothing."""
        if old is not None and old.flags & FAILED:
            return None
        program = projection.program
        state = program.initial_state if old is None else program.state(old.state)
        version = 0 if old is None else old.version
        fold = program.fold_commits(state, [message.body for message in messages], key.tenant_id, key.aggregate_id, version)
        if fold.generation > program.generation:
            raise Outdated(key, fold.generation)
        if fold.error is None and not fold.count:
            return None
        sequence = messages[fold.commits[-1][0] if fold.commits else 0].sequence
        time = fold.time.encode() or (_NO_TIME if old is None else old.time)
        text = fold.state.json()
        reason = fold.error
        shown: bytes | None = None
        if reason is None:
            try:
                shown = projection.shown(key, fold.version, text)
            except Unshapeable as error:
                reason = str(error).encode()
        if reason is not None:
            self._applied.failed += 1
            log.error("%s is hidden from queries: it cannot be projected after version %d: %s", key, fold.version, reason.decode())
            return StoredRow(FAILED, fold.version, sequence, time, text, b"")
        if shown is None:
            return StoredRow(0, fold.version, sequence, time, text, b"")
        flags = VISIBLE if projection.shape is None else VISIBLE | SHAPED
        return StoredRow(flags, fold.version, sequence, time, text, shown)

    def _put(self, key: AggregateKey, projection: TypeProjection, old: StoredRow | None, new: StoredRow) -> None:
        put, delete = self._transaction.put, self._transaction.delete
        name, value = key.aggregate_id.bytes, new.encode()
        self._rows.put(row_prefix(key.tenant_id, key.aggregate_type), name, value)
        changes = sequence_prefix(key.tenant_id)
        if old is not None:
            delete(changes + SEQUENCE.pack(old.sequence))
        put(changes + SEQUENCE.pack(new.sequence), b"%b\0%b" % (key.aggregate_type.encode(), name))
        if projection.indexes:
            self._index(key, projection.indexes, name, old, new)
        if self._tell:
            before = row_of(key, old.encode()) if old is not None and old.visible else None
            after = row_of(key, value) if new.visible else None
            if before is not None or after is not None:
                self._applied.changes.setdefault(key.tenant_id, []).append(Changed(before, after))

    def _index(self, key: AggregateKey, paths: tuple[str, ...], name: bytes, old: StoredRow | None, new: StoredRow) -> None:
        documents = [row.shown for row in (old, new) if row is not None and row.visible]
        keys = order.order_keys(documents, paths, INDEX_TEXT)
        gone = keys[: len(paths)] if old is not None and old.visible else [None] * len(paths)
        made = keys[-len(paths) :] if new.visible else [None] * len(paths)
        for index, (before, after) in enumerate(zip(gone, made, strict=True)):
            if before == after:
                continue
            prefix = index_prefix(key.tenant_id, key.aggregate_type, index)
            if before is not None:
                self._transaction.delete(prefix + before + name)
            if after is not None:
                self._transaction.put(prefix + after + name, b"")
            if cut := _is_cut(after) - _is_cut(before):
                counter = cut_key(key.tenant_id, key.aggregate_type, index)
                count = SEQUENCE.unpack(self._transaction.get(counter, bytes(8)))[0] + cut
                self._transaction.put(counter, SEQUENCE.pack(count))


def _is_cut(key: bytes | None) -> bool:
    return key is not None and key.endswith(order.CUT)
