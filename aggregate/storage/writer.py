"""The one thread that writes: takes what waits, writes it in one transaction, tells everybody.

A snapshot handed over is seen by readers at once, and of several that wait for one aggregate only the newest is written. The queue is
bounded: what does not fit is dropped and counted, since a snapshot that is missing costs time and no fact.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aggregate.errors import AggregateError, StorageError, ValidationError
from aggregate.storage.environment import Damaged, Environment
from aggregate.storage.records import delete, put, rank, read_canary, write_canary
from aggregate.storage.value import encode
from aggregate.types import AggregateId, Snapshot, TenantId
from aggregate.types.breaker import Breaker, BreakerState
from aggregate.types.canary import Canary

GROUP = 512
CANARY_DELAY = 1.0

T = TypeVar("T")

logger = logging.getLogger("aggregate.storage")


@dataclass(slots=True, eq=False)
class Work:
    """Something to be written: a snapshot, the removal of what begins with a key, or nothing (then it marks a place in the queue).

    Attributes:
        series: of the snapshot's key, what all snapshots of the aggregate and program share.
        done: who waits for it, None: nobody.
        started: the writer has taken it.
        failed: how its last run ended, None: well.
    """

    snapshot: Snapshot | None = None
    series: bytes = b""
    deletes: bytes = b""
    done: Future[None] | None = None
    started: bool = False
    failed: AggregateError | None = field(default=None)

    @property
    def size(self) -> int:
        """Bytes it holds while it waits."""
        return 0 if self.snapshot is None else len(self.snapshot.state.text)

    def run(self, transaction: Any) -> None:
        """Write it within a transaction (again, where the transaction has to be)."""
        self.failed = None
        try:
            if self.snapshot is not None:
                put(transaction, self.snapshot, encode(self.snapshot))
            elif self.deletes:
                delete(transaction, self.deletes)
        except AggregateError as error:
            self.failed = error


class Writer:
    """Owns the environment's writes until it is closed.

    Args:
        environment: written to by this thread alone.
        breaker: told of every group's outcome; while it is open nothing is written.
        queue_snapshots, queue_bytes: bounds of what waits.
    """

    def __init__(self, environment: Environment, breaker: Breaker, queue_snapshots: int, queue_bytes: int) -> None:
        self._environment = environment
        self._breaker = breaker
        self._queue_snapshots = queue_snapshots
        self._queue_bytes = queue_bytes
        self._wake = threading.Condition()
        self._waiting: deque[Work] = deque()
        self._bytes = 0
        self._pending: dict[tuple[TenantId, AggregateId], dict[bytes, Work]] = {}
        self._canary = self._written = environment.view(read_canary)
        self._damage = ""
        self._asides: list[tuple[str, Future[Path]]] = []
        self._closing = False
        self.dropped = 0
        self.written = 0
        self._thread = threading.Thread(target=self._run, name="snapshot-writer", daemon=True)
        self._thread.start()

    @property
    def canary(self) -> Canary | None:
        """The greatest canary told, written or not."""
        return self._canary

    @property
    def waiting(self) -> int:
        """How much waits to be written."""
        return len(self._waiting)

    @property
    def damaged(self) -> bool:
        """Whether the environment is about to be set aside: not to be read."""
        return bool(self._damage)

    def pending(self, tenant_id: TenantId, aggregate_id: AggregateId) -> list[Snapshot]:
        """The snapshots of an aggregate that wait to be written."""
        with self._wake:
            works = self._pending.get((tenant_id, aggregate_id))
            return [] if works is None else [work.snapshot for work in works.values() if work.snapshot is not None]

    def submit(self, work: Work) -> Future[None]:
        """Write it; the future tells when it is on disk, or raises what came in the way."""
        work.done = _unbreakable(Future[None]())
        with self._wake:
            self._enqueue(work)
        return work.done

    def offer(self, work: Work) -> None:
        """Write a snapshot some time soon; dropped and counted where that cannot be."""
        assert work.snapshot is not None
        with self._wake:
            earlier = self._pending.get((work.snapshot.tenant_id, work.snapshot.aggregate_id), {}).get(work.series)
            if earlier is not None and earlier.snapshot is not None and rank(earlier.snapshot) >= rank(work.snapshot):
                return
            if self._breaker.state is BreakerState.OPEN and self._breaker.retry_after > 0:
                self.dropped += 1
            elif earlier is not None and earlier.done is None and not earlier.started:
                self._bytes += work.size - earlier.size
                earlier.snapshot = work.snapshot
            elif self._closing or len(self._waiting) >= self._queue_snapshots or self._bytes + work.size > self._queue_bytes:
                self.dropped += 1
            else:
                self._enqueue(work)

    def tell_canary(self, canary: Canary) -> None:
        """Remember the canary if it is greater; written with the next group, or by itself a little later."""
        if self._canary is None or canary.sequence > self._canary.sequence:
            with self._wake:
                self._canary = canary
                self._wake.notify()

    def tell_damage(self, reason: str) -> None:
        """A reader met damage: set the environment aside before anything else."""
        with self._wake:
            self._damage = self._damage or reason
            self._wake.notify()

    def set_aside(self, reason: str) -> Future[Path]:
        """Drop what waits and the canary, and begin anew, empty; the future tells where the old files are."""
        moved = _unbreakable(Future[Path]())
        with self._wake:
            if self._closing:
                raise StorageError("the store is closed")
            self._asides.append((reason, moved))
            self._wake.notify()
        return moved

    def close(self) -> None:
        """Write what waits, end the thread. Blocks until then."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _enqueue(self, work: Work) -> None:
        if self._closing:
            raise StorageError("the store is closed")
        self._waiting.append(work)
        self._bytes += work.size
        snapshot = work.snapshot
        if snapshot is not None:
            works = self._pending.setdefault((snapshot.tenant_id, snapshot.aggregate_id), {})
            earlier = works.get(work.series)
            if earlier is None or earlier.snapshot is None or rank(earlier.snapshot) < rank(snapshot):
                works[work.series] = work
        self._wake.notify()

    def _run(self) -> None:
        last = False
        while not last:
            with self._wake:
                self._wait()
                asides, self._asides = self._asides, []
                group = self._take(len(self._waiting) if asides else GROUP)
                last = self._closing and not self._waiting
            if asides:
                self._begin_anew(asides, group)
                continue
            if self._damage:
                self._replace_damaged(self._damage)
            if group or self._canary != self._written:
                self._write(group)

    def _wait(self) -> None:
        """Until there is work. A canary alone waits a little for company, a closing writer for nothing."""
        while not (self._waiting or self._asides or self._damage or self._closing):
            if self._canary == self._written:
                self._wake.wait()
            elif not self._wake.wait(CANARY_DELAY):
                return

    def _take(self, most: int) -> list[Work]:
        group = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        for work in group:
            work.started = True
            self._bytes -= work.size
        return group

    def _write(self, group: list[Work]) -> None:
        """One transaction for the whole group; a damaged environment is replaced and the group written to the new one."""
        if not self._breaker.allow():
            self._failed(group, StorageError(f"the snapshot store failed and is tried again in {self._breaker.retry_after:.1f} s"))
            return
        try:
            try:
                self._transact(group)
            except Damaged as damage:
                self._replace_damaged(str(damage))
                self._transact(group)
        except StorageError as error:
            self._breaker.failure()
            logger.warning("%d snapshots could not be written: %s", sum(work.snapshot is not None for work in group), error)
            self._failed(group, error)
        except Exception as error:
            self._breaker.failure()
            logger.exception("the snapshot writer failed")
            self._failed(group, StorageError(f"the snapshot writer failed: {error!r}"))
        else:
            self._breaker.success()
            self.written += sum(work.snapshot is not None and work.failed is None for work in group)
            for work in group:
                self._finish(work, work.failed)

    def _transact(self, group: list[Work]) -> None:
        canary = self._canary

        def change(transaction: Any) -> None:
            for work in group:
                work.run(transaction)
            if canary is not None and canary != self._written:
                write_canary(transaction, canary)

        self._environment.update(change)
        self._written = canary

    def _replace_damaged(self, reason: str) -> None:
        """Begin anew; what waits is sound and stays."""
        try:
            self._environment.set_aside(reason)
            self._written = None
        except StorageError:
            logger.exception("a damaged snapshot store could not be replaced")
            self._breaker.failure()
        finally:
            self._damage = ""

    def _begin_anew(self, asides: list[tuple[str, Future[Path]]], group: list[Work]) -> None:
        self._failed(group, StorageError("the snapshot store was set aside"))
        with self._wake:
            self._canary = self._written = None
        for reason, moved in asides:
            try:
                path = self._environment.set_aside(reason)
            except StorageError as error:
                moved.set_exception(error)
            else:
                moved.set_result(path)

    def _failed(self, group: list[Work], error: AggregateError) -> None:
        for work in group:
            if work.done is None:
                self._drop()
            self._finish(work, error)

    def _drop(self) -> None:
        with self._wake:
            self.dropped += 1

    def _finish(self, work: Work, error: AggregateError | None) -> None:
        """Forget it, and tell who waits."""
        snapshot = work.snapshot
        if snapshot is not None:
            with self._wake:
                works = self._pending.get((snapshot.tenant_id, snapshot.aggregate_id))
                if works is not None and works.get(work.series) is work:
                    del works[work.series]
                    if not works:
                        del self._pending[snapshot.tenant_id, snapshot.aggregate_id]
        if work.done is None:
            if isinstance(error, ValidationError):
                self._drop()
                logger.error("a snapshot that cannot be stored was dropped: %s", error)
        elif error is None:
            work.done.set_result(None)
        else:
            work.done.set_exception(error)


def _unbreakable(future: Future[T]) -> Future[T]:
    """The future, no longer to be cancelled: who stops waiting does not stop the writer."""
    future.set_running_or_notify_cancel()
    return future
