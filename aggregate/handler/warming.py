"""`Warmer`: an aggregate brought into memory before anybody asks for it, and what a node believes it to be: two nodes that believe the same
hold the same hash at the same version.
"""

from __future__ import annotations

from dataclasses import dataclass

from aggregate.handler.cache import HotCache
from aggregate.handler.loader import Loader
from aggregate.handler.log_guard import Trusting
from aggregate.runtime import ProgramSet
from aggregate.storage.interface import SnapshotStore
from aggregate.types import AggregateKey


@dataclass(frozen=True, slots=True)
class Witness:
    """An aggregate as a node has it, at the newest message it found."""

    version: int
    sequence: int
    state_hash: str


class Warmer:
    """Loads aggregates as a decision would, and keeps them."""

    def __init__(self, programs: ProgramSet, storage: SnapshotStore, loader: Loader, cache: HotCache, guard: Trusting) -> None:
        self._programs = programs
        self._storage = storage
        self._loader = loader
        self._cache = cache
        self._guard = guard

    async def warm(self, key: AggregateKey) -> Witness:
        """Bring it up to date, keep it in memory, and hand its snapshot to the store where that is older.

        Raises:
            ValidationError: no program of that type is served here. TenantAccessDenied, RehydrationError, Unavailable, StreamError.
        """
        self._guard.demand_trust()
        program = self._programs.get(key.aggregate_type)
        cached = self._cache.get(key)
        loaded = await (self._loader.load(key) if cached is None else self._loader.catch_up(cached))
        if self._cache.get(key) is cached:  # else a command was decided meanwhile, and knows better
            self._cache.put(loaded)
        if loaded.version > loaded.snapshot_version and cached is None:
            self._storage.put_later(loaded.snapshot(program))
        return Witness(loaded.version, loaded.sequence, loaded.state.hash())
