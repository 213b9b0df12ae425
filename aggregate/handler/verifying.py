"""Background verification: what a node keeps of an aggregate is held against the log, one aggregate now and then.

State is a function of program and events alone, so a cached state or a snapshot that is not what a fold from the first event makes is
a defect: of the engine, of the memory, of the disk. It is told loudly and dropped, before anything more is decided on it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import NoReturn

from aggregate.errors import AggregateError, DocumentError, RehydrationError, StorageError
from aggregate.handler.cache import HotCache
from aggregate.handler.history import SLICE, Folded, history
from aggregate.handler.loaded import Loaded
from aggregate.runtime import ProgramSet, TypeProgram
from aggregate.storage.interface import SnapshotStore
from aggregate.stream.interface import EventLog
from aggregate.types import AggregateKey, Snapshot

log = logging.getLogger(__name__)

RECENT = 1000
"""Of so many aggregates, those used last, one is chosen."""

LONGEST = 100_000
"""Aggregates with more events are not folded beside the work of a node: `aggregate replay` does that."""

REST = 4.0
"""For each second of folding so many seconds of rest."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something kept that is not what the events make.

    Attributes:
        what: `cached state`, `snapshot` or `history` (which cannot be folded, so that nothing kept of it can be checked).
        kept: the hash of what was kept.
        made: the hash of what the events make, or why there is none.
    """

    key: AggregateKey
    what: str
    version: int
    kept: str
    made: str

    def __str__(self) -> str:
        return f"{self.what} of {self.key} at version {self.version} is not what its events make: hash {self.kept}, not {self.made}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of looking at one aggregate."""

    key: AggregateKey
    version: int
    mismatches: tuple[Mismatch, ...]


class Verifier:
    """Verifies what a handler keeps.

    Args:
        tell: hears of every verification.
        choose: picks one of the aggregates used last, the latest first.
    """

    def __init__(
        self,
        programs: ProgramSet,
        storage: SnapshotStore,
        stream: EventLog,
        cache: HotCache,
        tell: Callable[[Verification], None],
        choose: Callable[[list[Loaded]], Loaded] = random.choice,
    ) -> None:
        self._programs = programs
        self._storage = storage
        self._stream = stream
        self._cache = cache
        self._tell = tell
        self._choose = choose
        self._suspects: set[AggregateKey] = set()

    async def run(self, interval: float) -> NoReturn:
        """Verify one aggregate every `interval` seconds or so, for ever. What cannot be read now is left for another time."""
        while True:
            await asyncio.sleep(interval * random.uniform(0.5, 1.5))
            try:
                await self.verify_one()
            except AggregateError as error:
                log.warning("nothing verified this time: %s", error)
            except Exception:
                log.exception("defect while verifying")

    async def verify_one(self) -> Verification | None:
        """Verify one of the aggregates used last; what is wrong is dropped and told. None: there was nothing to verify.

        Raises:
            Unavailable, StreamError: the log cannot be read.
        """
        recent = self._cache.recent(RECENT)
        # What was wrong is looked at again: a command that was under way may have put its like back.
        self._suspects &= {loaded.key for loaded in recent}
        chosen = [loaded for loaded in recent if loaded.key in self._suspects] or recent
        if not chosen:
            return None
        loaded = self._choose(chosen)
        program = self._programs.get(loaded.key.aggregate_type)
        found = await self._verify(loaded, program, await self._snapshot(loaded.key, program))
        if found is not None:
            await self._act(found)
            self._tell(found)
        return found

    async def _verify(self, loaded: Loaded, program: TypeProgram, snapshot: Snapshot | None) -> Verification | None:
        kept = [("cached state", loaded.version, loaded.state.hash())]
        upto = loaded.solid
        if snapshot is not None:
            kept.append(("snapshot", int(snapshot.version), _hash_of(snapshot, program)))
            upto = max(upto, snapshot.sequence)
        if upto == 0 or loaded.version > LONGEST:
            return None
        versions = {version for _, version, _ in kept}
        try:
            made, end = await self._hashes(Folded.before(program, loaded.key), versions, upto)
        except RehydrationError as error:
            return Verification(loaded.key, loaded.version, (Mismatch(loaded.key, "history", loaded.version, kept[0][2], str(error)),))
        mismatches = tuple(
            Mismatch(loaded.key, what, version, digest, made.get(version, f"anything: the log ends at version {end}"))
            for what, version, digest in kept
            if made.get(version) != digest and (version in made or version > end)
        )
        return Verification(loaded.key, loaded.version, mismatches)

    async def _hashes(self, folded: Folded, versions: set[int], upto: int) -> tuple[dict[int, str], int]:
        """The hashes of the states at `versions` as the events up to a sequence make them, and the version there."""
        made = {0: folded.state.hash()}
        started, number = time.perf_counter(), 0
        async with aclosing(history(self._stream, folded.key, upto=upto)) as messages:
            async for stored in messages:
                folded = folded.after(stored.body, stored.sequence)
                number += 1
                if folded.version in versions:
                    made[folded.version] = folded.state.hash()
                if number % SLICE == 0:
                    await asyncio.sleep(REST * (time.perf_counter() - started))
                    started = time.perf_counter()
        return made, folded.version

    async def _act(self, found: Verification) -> None:
        """Drop what is wrong. Nothing is dropped where history itself cannot be folded: there is nothing to put in its place."""
        self._suspects.discard(found.key)
        for mismatch in found.mismatches:
            log.error("%s; %s", mismatch, "kept, for want of better" if mismatch.what == "history" else "dropped")
            if mismatch.what == "cached state":
                self._cache.drop(found.key)
                self._suspects.add(found.key)
            if mismatch.what == "snapshot":
                try:
                    await self._storage.delete_snapshot(found.key.tenant_id, found.key.aggregate_id, found.key.aggregate_type)
                except StorageError:
                    log.exception("the snapshots of %s are not deleted", found.key)

    async def _snapshot(self, key: AggregateKey, program: TypeProgram) -> Snapshot | None:
        """The snapshot that a load would start from."""
        try:
            found = await self._storage.get_snapshot(key.tenant_id, key.aggregate_id, key.aggregate_type, program.digest)
        except StorageError as error:
            log.warning("the snapshot of %s is not verified: %s", key, error)
            return None
        return found if found is not None and found.language == program.language and found.sequence else None


def _hash_of(snapshot: Snapshot, program: TypeProgram) -> str:
    """The hash of the state that a snapshot holds, whatever hash it names."""
    try:
        return program.state(snapshot.state.text).hash()
    except DocumentError as error:
        return f"none: {error}"
