"""`Watcher`: one live query of one caller. Its first rows, or what changed since its token, then what is told to all who watch the same.

It joins its question before it reads, so nothing falls between the two; what is told of a place that it has read already is passed over.
What is not taken in time is kept up to a bound; beyond it the watcher has lagged: what waits is thrown away and it reads anew.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Self

from aggregate.errors import AggregateError, DeadlineExceeded
from aggregate.query.interface import Told
from aggregate.query.projected import Projected, Reading
from aggregate.query.resuming import Resume, digest_of
from aggregate.query.watched import TOLD_BYTES, FirstRows, Watched, gather, rows_told
from aggregate.stream.positions import sequence_of
from aggregate.types.queries import Row, WatchEvent, WatchKind

MOST_WAITING = 1024
"""Portions that wait for one watcher."""
MOST_RESUMED = 10_000
"""Rows that changed since a token, whether they match or not: beyond it, reading anew is the shorter way."""
REACH = 5.0
"""Seconds that a projection which is behind a token is waited for."""
PATIENCE = 60.0
"""Seconds within which many first rows must be taken: they hold a read transaction open."""
AHEAD = 4
"""Portions of many first rows that are read ahead."""
CALM = 10.0
"""Seconds after which a lag is forgotten."""
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0


class _Lagged(Exception):
    """What was told is void."""


class Watcher:
    """A `LiveQuery`; an async context manager."""

    def __init__(self, watched: Watched, projected: Projected, resume: Resume | None, most_bytes: int) -> None:
        """`most_bytes`: of memory for what waits."""
        self._watched = watched
        self._projected = projected
        self._resume = resume
        self._most_bytes = most_bytes
        self._waiting: deque[Told] = deque()
        self._bytes = 0
        self._wake: asyncio.Future[None] | None = None
        self._lag = False
        self._following = False
        self._error: AggregateError | None = None
        self._task: asyncio.Task[object] | None = None
        self._position = self._incarnation = ""
        self._read_to = 0
        self._pause = 0.0
        self._lagged_at = 0.0
        self._steps = self._run()

    async def __aenter__(self) -> Self:
        self._watched.watchers[self] = None
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._watched.watchers.pop(self, None)
        self._waiting.clear()
        await self._steps.aclose()

    async def next(self) -> Told:
        if self._error is not None:
            raise self._error
        self._task = task = asyncio.current_task()
        try:
            return await anext(self._steps)
        except asyncio.CancelledError:
            if self._error is not None and task is not None and task.uncancel() == 0:  # it was `end`, and nobody else
                raise self._error from None
            raise
        finally:
            self._task = None

    async def next_all(self) -> list[Told]:
        tolds = [await self.next()]
        size = tolds[0].size
        while self._following and self._waiting and size + self._waiting[0].size <= TOLD_BYTES:
            told = self._pop()
            if told.sequence > self._read_to:
                tolds.append(told)
                size += told.size
        return tolds

    def end(self, error: AggregateError) -> None:
        if self._error is None:
            self._error = error
            if self._task is not None:
                self._task.cancel()

    # What its question does with it.

    def put(self, told: Told) -> bool:
        """Tell it; whether it could be kept. What cannot makes it lag."""
        if self._lag:
            return True
        if self._waiting and (len(self._waiting) >= MOST_WAITING or self._bytes + told.size > self._most_bytes):
            self.lag()
            return False
        self._waiting.append(told)
        self._bytes += told.size
        self._awake()
        return True

    def lag(self) -> None:
        """Throw away what waits: it is to read anew."""
        self._lag = True
        self._waiting.clear()
        self._bytes = 0
        self._awake()

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    # Its way.

    async def _run(self) -> AsyncGenerator[Told, None]:
        resume = self._resume
        while True:
            try:
                async with aclosing(self._first() if resume is None else self._since(resume)) as begin:
                    async for told in begin:
                        yield told
                yield Told((WatchEvent("caught_up", None, self._watched.token(self._position, self._incarnation)),), self._read_to, 0)
                self._following = True
                while True:
                    told = await self._take()
                    if told.sequence > self._read_to:
                        yield told
            except _Lagged:
                resume, self._following = None, False
                yield Told((WatchEvent("lagged"),), 0, 0)
                await self._calm_down()
                self._lag = False

    async def _first(self) -> AsyncGenerator[Told, None]:
        """The rows that match now."""
        found = await self._watched.first_rows()
        if found.tolds is not None:
            self._reached(found)
            for told in found.tolds:
                self._check()
                yield told
            return
        ahead: asyncio.Queue[Told | Exception | None] = asyncio.Queue(AHEAD)
        reading = asyncio.create_task(self._read_ahead(ahead), name="first rows of a watcher")
        try:
            while (item := await ahead.get()) is not None:
                self._check()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _read_ahead(self, ahead: asyncio.Queue[Told | Exception | None]) -> None:
        """Read rows for this watcher alone: a task of its own, because the transaction must end however slowly they are taken."""
        try:
            async with self._watched.opened() as reading, asyncio.timeout(PATIENCE):
                self._reached(reading)
                async for told in rows_told(reading, self._read_to):
                    await ahead.put(told)
            await ahead.put(None)
        except Exception as error:  # noqa: BLE001 - told to the watcher, whatever it is
            while not ahead.empty():
                ahead.get_nowait()
            slow = f"the first rows were not taken within {PATIENCE:.0f} s: narrow the filter, or query in pages"
            ahead.put_nowait(DeadlineExceeded(slow) if isinstance(error, TimeoutError) else error)

    async def _since(self, resume: Resume) -> AsyncGenerator[Told, None]:
        """What changed since the token. Raises _Lagged where nobody knows."""
        try:
            await self._projected.reach(resume.position, time.monotonic() + REACH)
        except DeadlineExceeded:
            raise _Lagged from None  # the token is of a longer log than this one, or the node is far behind
        async with self._watched.opened() as reading:
            if digest_of(reading.incarnation) != resume.made_of or sequence_of(reading.position) < sequence_of(resume.position):
                raise _Lagged
            changes = await reading.changed(resume.position, MOST_RESUMED)
            if changes is None:
                raise _Lagged
            self._reached(reading)
        there = [change.after for change in changes if change.after is not None]
        gone = [change.before for change in changes if change.after is None and change.before is not None]
        matches = self._watched.matcher.matches(there)
        events: list[tuple[WatchKind, Row]] = [
            ("changed" if matching else "no_longer_matching", row) for row, matching in zip(there, matches, strict=True)
        ]
        events += [("no_longer_matching", row) for row in gone]
        for told in gather(events, self._read_to, ""):
            self._check()
            yield told

    def _reached(self, read: FirstRows | Reading) -> None:
        self._position, self._incarnation = read.position, read.incarnation
        self._read_to = sequence_of(read.position)

    async def _take(self) -> Told:
        """What was told and waits; waits for it."""
        while not self._waiting:
            self._check()
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return self._pop()

    def _pop(self) -> Told:
        told = self._waiting.popleft()
        self._bytes -= told.size
        return told

    def _check(self) -> None:
        if self._lag:
            raise _Lagged

    async def _calm_down(self) -> None:
        """Who lags time and again waits a little longer each time before it reads anew."""
        now = time.monotonic()
        soon = now - self._lagged_at < CALM
        self._pause = min(2 * self._pause or FIRST_PAUSE, LONGEST_PAUSE) if soon else 0.0
        self._lagged_at = now
        await asyncio.sleep(self._pause)
