"""`Watched`: one question (tenant, type, filter) and all who watch it. A change is looked at once for all of them, and told to them as the
same objects; so are the first rows, as long as nothing changes in them and they are few.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from aggregate.errors import AggregateError
from aggregate.query.interface import Told
from aggregate.query.projected import Matcher, Projected, Reading
from aggregate.query.resuming import Question, write_token
from aggregate.stream.positions import sequence_of
from aggregate.types.queries import Row, WatchEvent, WatchKind

TOLD_EVENTS = 256
TOLD_BYTES = 1 << 18
"""So much is told at once, unless a single row is more: a gRPC message that any client takes."""
ROW_BYTES = 400
"""Of memory, beside its document."""
SHARED_BYTES = 1 << 20
"""First rows that are more than this are read by each watcher on its own."""
KEPT_SECONDS = 5.0
"""First rows are kept so long for others who ask."""


Judged = tuple[WatchKind, Row]
"""A row that concerns a question, and how."""


class Watching(Protocol):
    """Who watches, as the question sees it."""

    def put(self, told: Told) -> bool:
        """Take it in, without waiting; whether it could be kept."""

    def lag(self) -> None:
        """What was told is void."""

    def end(self, error: AggregateError) -> None:
        """There is nothing more."""


@dataclass(frozen=True, slots=True)
class FirstRows:
    """All rows that match at a place. `tolds` is None where they are too many to be kept."""

    tolds: tuple[Told, ...] | None
    incarnation: str
    position: str

    @property
    def sequence(self) -> int:
        """The place."""
        return sequence_of(self.position)


class Watched:
    """A question and its watchers.

    Attributes:
        changed_at: the place of the last change that was told: first rows must not be older.
        incarnation: of the last reading, for tokens.
    """

    def __init__(self, question: Question, projected: Projected, gate: asyncio.Semaphore) -> None:
        """`gate`: of the tenant. Raises ValidationError: the filter does not compile."""
        self.question = question
        self.matcher: Matcher = projected.matcher(question.filter)
        self.watchers: dict[Watching, None] = {}
        self.changed_at = 0
        self.incarnation = ""
        self._placed_at = 0
        self._round = 0
        self._projected = projected
        self._gate = gate
        self._first: asyncio.Task[FirstRows] | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Reading]:
        """A reading of the rows that match now; waits while the tenant has many open."""
        question, begun = self.question, self._round
        async with self._gate, self._projected.reading(question.tenant_id, question.aggregate_type, self.matcher) as reading:
            if begun == self._round:
                self.incarnation = reading.incarnation
            yield reading

    def token(self, position: str, incarnation: str = "") -> str:
        """To go on from a position, of the last reading unless another is named."""
        return write_token(self.question, incarnation or self.incarnation, position)

    async def first_rows(self) -> FirstRows:
        """The rows that match now; those who ask at once share the work, and the rows while nothing changes."""
        while True:
            task = self._first
            if task is None or (task.done() and (task.cancelled() or task.exception() or task.result().sequence < self.changed_at)):
                task = self._first = asyncio.create_task(self._read_first(), name="first rows of a live query")
                task.add_done_callback(self._keep_a_while)
            begun = self.changed_at
            try:
                found = await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():  # with the one before us, not with us
                    continue
                raise
            if found.sequence >= begun:
                return found

    def told(self, judged: Sequence[Judged], position: str) -> list[Told]:
        """How a transaction is told."""
        return gather(judged, sequence_of(position), self.token(position)) if judged else []

    def place(self, position: str) -> Told | None:
        """A newer token for those who were told nothing since; None: there was something to tell."""
        sequence = sequence_of(position)
        if sequence <= self._placed_at or not self.incarnation:
            return None
        quiet, self._placed_at = sequence > max(self._placed_at, self.changed_at), sequence
        return Told((WatchEvent("caught_up", None, self.token(position)),), sequence, 0) if quiet else None

    def forget(self) -> None:
        """What was read says nothing of what comes."""
        self._round += 1
        self._first = None
        self.changed_at = self._placed_at = 0
        for watcher in self.watchers:
            watcher.lag()

    def end(self, error: AggregateError) -> None:
        """There is nothing more to tell."""
        for watcher in self.watchers:
            watcher.end(error)

    def close(self) -> None:
        """Nobody watches any more."""
        if self._first is not None:
            self._first.cancel()

    async def _read_first(self) -> FirstRows:
        async with self.opened() as reading:
            tolds: list[Told] = []
            size = 0
            sequence = sequence_of(reading.position)
            async for told in rows_told(reading, sequence):
                size += told.size
                if size > SHARED_BYTES:
                    return FirstRows(None, reading.incarnation, reading.position)
                tolds.append(told)
            return FirstRows(tuple(tolds), reading.incarnation, reading.position)

    def _keep_a_while(self, task: asyncio.Task[FirstRows]) -> None:
        if not task.cancelled():
            task.exception()  # it was told to those who waited

        def drop() -> None:
            if self._first is task:
                self._first = None

        asyncio.get_running_loop().call_later(KEPT_SECONDS, drop)


async def rows_told(reading: Reading, sequence: int) -> AsyncIterator[Told]:
    """The rows of a reading."""
    async for page in reading.pages():
        for told in gather([("row", row) for row in page], sequence, ""):
            yield told


def gather(events: Iterable[tuple[WatchKind, Row]], sequence: int, token: str) -> list[Told]:
    """The events in portions that can be told at once; the last one carries the token, for a place is told whole or not at all."""
    portions: list[Told] = []
    portion: list[WatchEvent] = []
    size = 0
    items = list(events)
    for index, (kind, row) in enumerate(items, 1):
        more = len(row.document.text) + ROW_BYTES
        if portion and (len(portion) == TOLD_EVENTS or size + more > TOLD_BYTES):
            portions.append(Told(tuple(portion), sequence, size))
            portion, size = [], 0
        portion.append(WatchEvent(kind, row, token if index == len(items) else ""))
        size += more
    if portion:
        portions.append(Told(tuple(portion), sequence, size))
    return portions
