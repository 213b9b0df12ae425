"""`WatchedTenant`: the live queries of one tenant. Each transaction is looked at once for each distinct question (type and filter), however
many watch it, and told to them a few at a time, so that commands are served in between. A task of its own does it: many watchers of one
tenant hold no other tenant up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from aggregate.errors import AggregateError
from aggregate.query.interface import Changed, Told
from aggregate.query.projected import Projected
from aggregate.query.resuming import Question
from aggregate.query.watched import Judged, Watched

log = logging.getLogger(__name__)

MOST_BEHIND = 50_000
"""Changes that wait to be looked at; beyond it everybody reads anew."""
AT_ONCE = 64
"""Changes looked at before others get a turn."""
TOGETHER = 64
"""Transactions that are told together, where so many wait."""
WOKEN_AT_ONCE = 8
REST = 0.002
"""After so many watchers were told, others get the node for so many seconds: a change may take longer to reach a thousand watchers, but
commands do not wait behind all of them."""
READINGS = 4
"""Read transactions a tenant may have open for first rows."""

Changes = Sequence[Changed]


@dataclass(slots=True)
class Counts:
    """What was told, for metrics.

    Attributes:
        events: told to watchers, of changes (first rows do not count).
        lags: times that a watcher was too slow.
        evaluations: rows that filters were run on.
    """

    events: int = 0
    lags: int = 0
    evaluations: int = 0


class WatchedTenant:
    """The questions of a tenant, and who tells their watchers."""

    def __init__(self, projected: Projected, counts: Counts) -> None:
        self.questions: dict[Question, Watched] = {}
        self._projected = projected
        self._counts = counts
        self._gate = asyncio.Semaphore(READINGS)
        self._waiting: deque[tuple[Changes, str]] = deque()
        self._behind = 0
        self._place = ""
        self._round = 0
        self._come = asyncio.Event()
        self._task = asyncio.create_task(self._tell_all(), name="live queries of a tenant")

    async def close(self) -> None:
        """Tell nothing more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def join(self, question: Question) -> Watched:
        """The question, for one more watcher. Raises ValidationError: the filter does not compile."""
        watched = self.questions.get(question)
        if watched is None:
            watched = self.questions[question] = Watched(question, self._projected, self._gate)
        return watched

    def leave(self, watched: Watched) -> None:
        """A watcher has gone."""
        if not watched.watchers:
            watched.close()
            if self.questions.get(watched.question) is watched:
                del self.questions[watched.question]

    def committed(self, changes: Changes, position: str) -> None:
        """A transaction changed these rows."""
        self._waiting.append((changes, position))
        self._behind += len(changes)
        if self._behind > MOST_BEHIND:
            log.warning("the live queries of a tenant are too far behind the projection: all of them read anew")
            self.begin_anew()
        self._come.set()

    def passed(self, position: str) -> None:
        """It was quiet up to here, unless something waits to be told."""
        if position and not self._waiting:
            self._place = position
            self._come.set()

    def begin_anew(self) -> None:
        """What was told is void."""
        self._waiting.clear()
        self._behind = 0
        self._place = ""
        self._round += 1
        for watched in self.questions.values():
            watched.forget()

    def end(self, error: AggregateError) -> None:
        """There is nothing more to tell."""
        for watched in self.questions.values():
            watched.end(error)

    async def _tell_all(self) -> None:
        while True:
            if self._waiting:
                some = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER))]
                self._behind -= sum(len(changes) for changes, _ in some)
                await self._tell(some)
            elif self._place:
                position, self._place = self._place, ""
                for watched in list(self.questions.values()):
                    if (place := watched.place(position)) is not None:
                        await self._tell_watchers(watched, [place])
            else:
                self._come.clear()
                await self._come.wait()

    async def _tell(self, transactions: Sequence[tuple[Changes, str]]) -> None:
        """Tell of transactions, question after question, unless they say nothing any more."""
        begun = self._round
        for watched in list(self.questions.values()):
            tolds = await self._looked_at(watched, transactions)
            if begun != self._round:
                return
            if tolds:
                watched.changed_at = tolds[-1].sequence
                await self._tell_watchers(watched, tolds)
                if begun != self._round:
                    return

    async def _looked_at(self, watched: Watched, transactions: Sequence[tuple[Changes, str]]) -> list[Told]:
        """What the watchers of a question are told of changes."""
        tolds: list[Told] = []
        try:
            for changes, position in transactions:
                tolds += watched.told(await self._judged(watched, changes), position)
        except Exception:
            log.exception("a filter could not be run", extra={"filter": watched.question.filter})
            watched.end(AggregateError("the filter could not be run; the node's log has the details"))
            return []
        return tolds

    async def _judged(self, watched: Watched, changes: Changes) -> list[Judged]:
        """Which of the changes concern a question."""
        wanted = watched.question.aggregate_type
        if wanted is not None:
            changes = [change for change in changes if change.aggregate_type == wanted]
        judged: list[Judged] = []
        for start in range(0, len(changes), AT_ONCE):
            some = changes[start : start + AT_ONCE]
            rows = [row for change in some for row in (change.before, change.after) if row is not None]
            self._counts.evaluations += len(rows)
            matches = iter(watched.matcher.matches(rows))
            for change in some:
                before = change.before is not None and next(matches)
                after = change.after is not None and next(matches)
                if (row := change.after or change.before) is not None and (before or after):
                    judged.append(("changed" if before and after else "added" if after else "no_longer_matching", row))
            await asyncio.sleep(0)
        return judged

    async def _tell_watchers(self, watched: Watched, tolds: Sequence[Told]) -> None:
        begun = self._round
        for index, watcher in enumerate(list(watched.watchers), 1):
            for told in tolds:
                self._counts.events += len(told.events)
                if not watcher.put(told):
                    self._counts.lags += 1
                    break
            if index % WOKEN_AT_ONCE == 0:
                await asyncio.sleep(REST)
                if begun != self._round:
                    return
