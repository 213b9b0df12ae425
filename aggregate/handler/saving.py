"""`Saver`: when a snapshot is written. By events and by bytes when a command is done, by time for what has waited in memory since.

A snapshot costs a write and spares the next load the tail of the log behind it. Which comes first counts: so many events, so many bytes
of messages (few, but large), or so much time, after which even an aggregate with a single new event gets one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection

from aggregate.errors import StorageError, Unavailable
from aggregate.handler.cache import HotCache
from aggregate.handler.loaded import Loaded
from aggregate.handler.log_guard import Trusting
from aggregate.runtime import ProgramSet, TypeProgram
from aggregate.storage.interface import SnapshotStore
from aggregate.types import AggregateType

log = logging.getLogger(__name__)

AT_ONCE = 200
"""Snapshots of a round that are on disk before more are made: commands go on in between."""


class Saver:
    """Hands snapshots to the store, for one node."""

    def __init__(self, programs: ProgramSet, storage: SnapshotStore, cache: HotCache, guard: Trusting) -> None:
        self._programs = programs
        self._storage = storage
        self._cache = cache
        self._guard = guard

    def committed(self, loaded: Loaded, program: TypeProgram) -> Loaded:
        """What to cache of an aggregate after a commit: a snapshot is handed to the store where one is due."""
        return self._saved(loaded, program) if is_due(loaded, program) else loaded

    async def run(self) -> None:
        """See that nothing in memory waits longer for a snapshot than its type's `snapshot_age`; for ever, unless no type has one."""
        ages = {program.type: program.snapshot_age for program in self._programs if program.snapshot_age}
        due = {name: time.monotonic() + age for name, age in ages.items()}
        while due:
            await asyncio.sleep(min(due.values()) - time.monotonic())
            types = [name for name, at in due.items() if at <= time.monotonic()]
            due |= {name: time.monotonic() + ages[name] for name in types}
            try:
                await self.save_all(types)
            except (StorageError, Unavailable) as error:
                log.warning("not all snapshots that were due are written: %s", error)

    async def save_all(self, types: Collection[AggregateType]) -> int:
        """Write a snapshot of every aggregate in memory that has changed since its last one; returns how many.

        Raises:
            StorageError: the store failed. Unavailable: the log may be another one. The rest waits for another time.
        """
        changed = [each for each in self._cache.entries() if each.version > each.snapshot_version and each.key.aggregate_type in types]
        for start in range(0, len(changed), AT_ONCE):
            self._guard.demand_trust()
            for loaded in filter(self._cache.holds, changed[start : start + AT_ONCE]):
                self._cache.exchange(loaded, self._saved(loaded, self._programs.get(loaded.key.aggregate_type)))
            await self._storage.flush()
        return len(changed)

    def _saved(self, loaded: Loaded, program: TypeProgram) -> Loaded:
        self._storage.put_later(loaded.snapshot(program))
        return loaded.saved()


def is_due(loaded: Loaded, program: TypeProgram) -> bool:
    """Whether events or bytes since the last snapshot ask for a new one: at each multiple of `snapshot_threshold`, and at so many bytes."""
    if loaded.version == loaded.snapshot_version:
        return False
    if loaded.version // program.snapshot_threshold != loaded.snapshot_version // program.snapshot_threshold:
        return True
    return 0 < program.snapshot_bytes <= loaded.tail_bytes
