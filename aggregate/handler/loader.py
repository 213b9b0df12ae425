"""Bringing an aggregate into memory, and up to date: newest usable snapshot, then the tail of the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from aggregate.errors import DocumentError, RehydrationError, StorageError, StreamError, TenantAccessDenied, Unavailable
from aggregate.handler.history import pages
from aggregate.handler.loaded import Loaded
from aggregate.runtime import CommitFold, ProgramSet, TypeProgram
from aggregate.storage.interface import SnapshotStore
from aggregate.stream.interface import EventLog, StoredMessage
from aggregate.stream.subjects import owner_subject, subject_of
from aggregate.types import AggregateKey

log = logging.getLogger(__name__)


class LogOlder(Unavailable):
    """The log ends before what this node remembers of it: restored, recreated, or a server behind lost its newest writes."""

    def __init__(self, key: AggregateKey, remembered: int, found: int) -> None:
        super().__init__(f"the log of {key} ends at {found}, this node remembers {remembered}", reason="log_older")
        self.key = key
        self.found = found


class Loader:
    """Loads aggregates from the store and the log, and never from a cache.

    Args:
        owned_ids: an aggregate id belongs to one tenant (`aggregate_id_scope: global`).
    """

    def __init__(self, programs: ProgramSet, storage: SnapshotStore, stream: EventLog, *, owned_ids: bool) -> None:
        self._programs = programs
        self._storage = storage
        self._stream = stream
        self._owned_ids = owned_ids
        self._heard: Callable[[StoredMessage], None] = lambda _: None

    def on_read(self, heard: Callable[[StoredMessage], None]) -> None:
        """Call `heard` with the newest message of an aggregate that was not known here: this node's of before, or another node's."""
        self._heard = heard

    async def load(self, key: AggregateKey) -> Loaded:
        """The aggregate as the log has it now (version 0 where there is none).

        Raises:
            TenantAccessDenied: the id belongs to another tenant.
            RehydrationError: the history cannot be folded.
            LogOlder: a snapshot is of a later place than the log has.
            Unavailable, StreamError: the log cannot be read.
        """
        program = self._programs.get(key.aggregate_type)
        base = await self._from_snapshot(key, program) or Loaded(key, program.initial_state)
        try:
            return await self.catch_up(base)
        except LogOlder as error:
            if base.version:
                await self._forget_if_so(error)
            raise

    async def catch_up(self, base: Loaded) -> Loaded:
        """`base` with what was written after it; `base` itself where nothing was.

        Raises:
            As `load`.
        """
        key = base.key
        last = await self._stream.last(key)
        end = 0 if last is None else last.sequence
        if end < base.solid:
            raise LogOlder(key, base.solid, end)
        if last is None or end == base.sequence:
            loaded = base if end == base.sequence else replace(base, sequence=0)
        elif end < base.sequence:  # the refusals after it have expired
            loaded = replace(base, sequence=end)
        else:
            loaded = await self._folded(base, last)
        if loaded.generation > self._programs.get(key.aggregate_type).generation:
            raise Unavailable(
                f"{key} was written by a newer program than this node has (generation {loaded.generation}); update the node",
                reason="outdated_program",
            )
        return loaded if loaded.owned or not self._owned_ids else await self._with_owner(loaded)

    async def refuse_other_owner(self, key: AggregateKey) -> None:
        """See that an aggregate id of which nothing but refusals is known has no owner by now, as of a moment after they were written.

        Raises:
            TenantAccessDenied: another tenant has become its owner.
            Unavailable, StreamError: nobody can tell now.
        """
        if await self._stream.confirm(owner_subject(key.aggregate_id), 0):
            return
        owner = await self._stream.owner(key.aggregate_id)
        if owner is None:
            raise Unavailable(f"aggregate id {key.aggregate_id} has an owner that the server does not name yet", "stream_behind", 0.2)
        if owner != key.tenant_id:
            raise TenantAccessDenied(key.tenant_id)

    async def _with_owner(self, loaded: Loaded) -> Loaded:
        """An aggregate without events: whose id is it?"""
        owner = await self._stream.owner(loaded.key.aggregate_id)
        if owner is not None and owner != loaded.key.tenant_id:
            raise TenantAccessDenied(loaded.key.tenant_id)
        return replace(loaded, owned=owner is not None)

    async def _folded(self, base: Loaded, last: StoredMessage) -> Loaded:
        """`base` and its tail up to `last`."""
        messages = await self._tail(base, last)
        self._heard(last)
        fold = self._fold(base, messages)
        if fold.error is not None:
            failed = messages[fold.commits[-1][0] if fold.commits else 0].sequence
            raise RehydrationError(f"{base.key} cannot be folded after sequence {failed}: {fold.error.decode()}")
        return base.folded(fold, messages)

    def _fold(self, base: Loaded, messages: list[StoredMessage]) -> CommitFold:
        program = self._programs.get(base.key.aggregate_type)
        bodies = [message.body for message in messages]
        return program.fold_commits(base.state, bodies, base.key.tenant_id, base.key.aggregate_id, base.version)

    async def _tail(self, base: Loaded, last: StoredMessage) -> list[StoredMessage]:
        """All messages after `base` up to `last`."""
        async with aclosing(pages(self._stream, base.key, after=base.sequence, upto=last.sequence)) as tail:
            return [message async for page in tail for message in page]

    async def _from_snapshot(self, key: AggregateKey, program: TypeProgram) -> Loaded | None:
        try:
            snapshot = await self._storage.get_snapshot(key.tenant_id, key.aggregate_id, key.aggregate_type, program.digest)
        except StorageError as error:
            log.warning("snapshot of %s not readable, its events are read instead: %s", key, error)
            return None
        if snapshot is None or snapshot.language != program.language or snapshot.sequence == 0:
            return None
        try:
            state = program.state(snapshot.state.text)
        except DocumentError as error:
            log.warning("snapshot of %s is no state, its events are read instead: %s", key, error)
            return None
        if snapshot.state_hash and snapshot.state_hash != state.hash():
            log.error("snapshot of %s at version %d has another hash than its state, its events are read instead", key, snapshot.version)
            return None
        return Loaded.of_snapshot(snapshot, state)

    async def _forget_if_so(self, error: LogOlder) -> None:
        """Delete the snapshots that are ahead of the log; not on the word of a server that is behind itself."""
        key = error.key
        try:
            if await self._stream.confirm(subject_of(key), error.found):
                await self._storage.delete_snapshot(key.tenant_id, key.aggregate_id, key.aggregate_type)
        except (StorageError, StreamError, Unavailable) as trouble:
            log.warning("snapshots of %s not deleted: %s", key, trouble)
