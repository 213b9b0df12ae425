"""`StorageClient`: snapshots on LMDB, and what else a node remembers of its log.

    <path>/lock           held while a process uses the folder
    <path>/running        there while it does: found at the next start, it was not stopped properly, and the files are looked through
    <path>/stream-seen    this folder belongs to a log that exists
    <path>/snapshots/     the environment; `snapshots.aside-<time>/` are damaged or outdated ones, to look at or to delete

Reads are done where they are asked for: LMDB answers from mapped memory in microseconds, less than handing the question to a thread takes.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aggregate.errors import StorageError, ValidationError
from aggregate.storage.environment import MAP_SIZE, Damaged, Environment
from aggregate.storage.folder import StorageFolder
from aggregate.storage.records import newest, rank, scope, series
from aggregate.storage.value import digest_bytes, within_bounds
from aggregate.storage.writer import Work, Writer, logger
from aggregate.types import AggregateId, AggregateType, Snapshot, TenantId
from aggregate.types.breaker import Breaker, BreakerState
from aggregate.types.canary import Canary

QUEUE_SNAPSHOTS = 10_000
QUEUE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StorageHealth:
    """How the store is.

    Attributes:
        connected: it works, as far as known; commands go on without it, slower.
        breaker: `closed`, `open` or `half_open`; the worse of reading and writing.
        waiting: snapshots that wait to be written.
        written: snapshots written since the start.
        dropped: snapshots that were not written since the start.
        set_aside: folders that were set aside since the start.
        map_size: bytes the environment may have before it grows.
    """

    connected: bool
    breaker: str
    waiting: int
    written: int
    dropped: int
    set_aside: tuple[str, ...]
    map_size: int


class StorageClient:
    """The snapshot store of a node (see `SnapshotStore`). One process and one client use a folder at a time.

    Made by `await StorageClient.open(path)`; safe for many tasks and threads; closed by `await client.close()` or `async with`.
    """

    def __init__(self, folder: StorageFolder, environment: Environment, writer: Writer, reads: Breaker, writes: Breaker) -> None:
        self._folder = folder
        self._environment = environment
        self._writer = writer
        self._reads = reads
        self._writes = writes
        self._closed = False
        self._unstorable = 0
        self._temporary: Callable[[], object] | None = None

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        breaker_threshold: int = 5,
        breaker_reset: float = 5.0,
        map_size: int = MAP_SIZE,
        queue_snapshots: int = QUEUE_SNAPSHOTS,
        queue_bytes: int = QUEUE_BYTES,
    ) -> Self:
        """Open the store in a folder, which is made where there is none.

        Args:
            path: the folder.
            breaker_threshold: failures in a row after which the store is left alone for `breaker_reset` seconds.
            breaker_reset: see there.
            map_size: bytes the environment begins with; it grows by itself.
            queue_snapshots: snapshots that may wait to be written.
            queue_bytes: bytes of state that may wait.

        Raises:
            StorageError: another process uses the folder, or it cannot be used.
        """
        folder, environment, writer, breakers = await asyncio.to_thread(
            _open, Path(path), map_size, (breaker_threshold, breaker_reset), (queue_snapshots, queue_bytes)
        )
        return cls(folder, environment, writer, *breakers)

    @classmethod
    async def new_test(cls, **options: int) -> Self:
        """A store in a new temporary folder, which is removed with it."""
        path = tempfile.mkdtemp(prefix="aggregate-storage-")
        client = await cls.open(path, **options)
        client._temporary = weakref.finalize(client, shutil.rmtree, path, ignore_errors=True)  # noqa: SLF001 - our own
        return client

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def was_running(self) -> bool:
        """Whether the process that had the folder before was not stopped properly."""
        return self._folder.was_running

    async def get_snapshot(
        self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None = None, program: str | None = None
    ) -> Snapshot | None:
        """The newest snapshot, see `SnapshotStore`.

        Raises:
            ValidationError: `program` is no digest.
        """
        if program is not None:
            digest_bytes(program)
        found = [
            each
            for each in self._writer.pending(tenant_id, aggregate_id)
            if aggregate_type in {None, each.aggregate_type} and program in {None, each.program}
        ]
        stored = self._read(tenant_id, aggregate_id, aggregate_type, program)
        if stored is not None:
            found.insert(0, stored)  # of equal ones the one on disk
        return max(found, key=rank, default=None)

    def _read(
        self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None, program: str | None
    ) -> Snapshot | None:
        if self._closed:
            raise StorageError("the store is closed")
        if self._writer.damaged:
            return None
        if not self._reads.allow():
            raise StorageError(f"the snapshot store failed and is tried again in {self._reads.retry_after:.1f} s")
        try:
            stored = self._environment.view(lambda transaction: newest(transaction, tenant_id, aggregate_id, aggregate_type, program))
        except Damaged as damage:
            self._reads.failure()
            self._writer.tell_damage(str(damage))
            return None
        except StorageError:
            self._reads.failure()
            raise
        self._reads.success()
        return stored

    async def put_snapshot(self, snapshot: Snapshot) -> None:
        """Store a snapshot, see `SnapshotStore`.

        Raises:
            ValidationError: a member does not fit the format.
        """
        await self._wait(self._writer.submit(Work(within_bounds(snapshot), series(snapshot))))

    def put_later(self, snapshot: Snapshot) -> None:
        """Hand a snapshot to the writer, see `SnapshotStore`."""
        try:
            work = Work(within_bounds(snapshot), series(snapshot))
        except ValidationError:
            logger.exception("a snapshot that cannot be stored was dropped")
            self._unstorable += 1
        else:
            self._writer.offer(work)

    async def delete_snapshot(self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None = None) -> None:
        """Remove all snapshots of an aggregate, see `SnapshotStore`."""
        await self._wait(self._writer.submit(Work(deletes=scope(tenant_id, aggregate_id, aggregate_type))))

    async def flush(self) -> None:
        """Wait until everything handed over is on disk, see `SnapshotStore`."""
        await self._wait(self._writer.submit(Work()))

    def get_canary(self) -> Canary | None:
        """The canary, None before the first."""
        return self._writer.canary

    def put_canary(self, canary: Canary) -> None:
        """Remember the canary if it is greater than the one known; on disk with the next snapshots, or within a second or so."""
        self._writer.tell_canary(canary)

    def stream_seen(self) -> bool:
        """Whether this folder belongs to a log that exists, so that a missing one is a loss and nothing to be created."""
        return self._folder.stream_seen() or self._writer.canary is not None

    def mark_stream_seen(self) -> None:
        """Remember for good that the log exists. Raises StorageError."""
        self._folder.mark_stream_seen()

    async def set_aside(self, reason: str) -> Path:
        """Begin anew, empty and without canary, because the log is not the one that the snapshots are of. Returns where the old ones are.

        Raises:
            StorageError: they cannot be moved.
        """
        return await asyncio.wrap_future(self._writer.set_aside(reason))

    def health(self) -> StorageHealth:
        """How the store is."""
        states = [self._reads.state, self._writes.state]
        worst = next((state for state in (BreakerState.OPEN, BreakerState.HALF_OPEN) if state in states), BreakerState.CLOSED)
        return StorageHealth(
            connected=not self._closed and worst is BreakerState.CLOSED,
            breaker=str(worst),
            waiting=self._writer.waiting,
            written=self._writer.written,
            dropped=self._writer.dropped + self._unstorable,
            set_aside=tuple(map(str, self._environment.set_asides)),
            map_size=self._environment.map_size,
        )

    async def close(self) -> None:
        """Write what waits and let go of the folder. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.close()
        self._environment.close()
        self._folder.release(clean=True)
        if self._temporary is not None:
            self._temporary()

    async def _wait(self, done: Future[None]) -> None:
        await asyncio.wrap_future(done)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


def _open(
    path: Path, map_size: int, breaker: tuple[int, float], queue: tuple[int, int]
) -> tuple[StorageFolder, Environment, Writer, tuple[Breaker, Breaker]]:
    """The parts of a client; nothing is left behind when one of them fails."""
    with ExitStack() as undo:
        folder = StorageFolder(path)
        undo.callback(folder.release, clean=False)
        environment = Environment(folder.path / "snapshots", map_size, check=folder.was_running)
        undo.callback(environment.close)
        breakers = Breaker(*breaker), Breaker(*breaker)
        writer = Writer(environment, breakers[1], *queue)
        undo.pop_all()
    return folder, environment, writer, breakers
