"""`LiveQueries`: all live queries of a node.

The projection tells it of every transaction; each is looked at once for each distinct question (tenant, type, filter), however many watch
it, and told to them a few at a time, so that commands are served in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from aggregate.errors import AggregateError, Unavailable, ValidationError, quote
from aggregate.query.interface import Changed, Told, Transaction
from aggregate.query.projected import Projected
from aggregate.query.resuming import Question, read_token
from aggregate.query.watched import Judged, Watched
from aggregate.query.watcher import Watcher
from aggregate.types import AggregateType, TenantId
from aggregate.types.queries import WatchEvent

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
QUIET = 30.0
"""Seconds after which watchers who were told nothing get a newer token."""


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


class LiveQueries:
    """The live queries of one node; the `Listener` of its projection."""

    def __init__(self, projected: Projected, *, buffer_bytes: int = 1 << 20) -> None:
        """`buffer_bytes`: of memory for what waits for one slow watcher."""
        self.counts = Counts()
        self._projected = projected
        self._buffer_bytes = buffer_bytes
        self._watched: dict[TenantId, dict[Question, Watched]] = {}
        self._gates: WeakValueDictionary[TenantId, asyncio.Semaphore] = WeakValueDictionary()
        self._transactions: deque[Transaction] = deque()
        self._behind = 0
        self._round = 0
        self._passed = ""
        self._places_due = False
        self._come = asyncio.Event()
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self._unlisten = projected.listen(self)  # from the beginning: what was not told to somebody is not told later

    @property
    def watchers(self) -> int:
        """Live queries that are open."""
        return sum(len(watched.watchers) for questions in self._watched.values() for watched in questions.values())

    @property
    def questions(self) -> int:
        """Distinct ones among them."""
        return sum(map(len, self._watched.values()))

    async def close(self) -> None:
        """End all of them."""
        self._unlisten()
        self.stopped()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @asynccontextmanager
    async def live(
        self,
        tenant_id: TenantId,
        filter: str = "",  # noqa: A002 - the public name
        *,
        aggregate_type: AggregateType | None = None,
        resume_token: str = "",
    ) -> AsyncIterator[Watcher]:
        """As `Queries.live`.

        Raises:
            ValidationError: filter, type or token.
            Unavailable: there is no projection.
        """
        if self._stopped:
            raise _no_projection()
        if aggregate_type is not None and aggregate_type not in self._projected.types:
            known = ", ".join(sorted(self._projected.types)) or "none"
            raise ValidationError(f"{quote(str(aggregate_type))} is not projected; projected are: {known}", "aggregate_type")
        question = Question(tenant_id, aggregate_type, filter)
        resume = read_token(question, resume_token) if resume_token else None
        watched = self._join(question)
        if self._task is None:
            self._task = asyncio.create_task(self._tell_all(), name="live queries")
        try:
            async with Watcher(watched, self._projected, resume, self._buffer_bytes) as watcher:
                yield watcher
        finally:
            self._leave(watched)

    async def watch(
        self,
        tenant_id: TenantId,
        filter: str = "",  # noqa: A002 - the public name
        *,
        aggregate_type: AggregateType | None = None,
        resume_token: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """As `Queries.watch`."""
        async with self.live(tenant_id, filter, aggregate_type=aggregate_type, resume_token=resume_token) as watcher:
            while True:
                for event in (await watcher.next()).events:
                    yield event

    # What the projection tells.

    def committed(self, transaction: Transaction) -> None:
        if not self._watched:
            return
        changes = {tenant: some for tenant, some in transaction.changes.items() if tenant in self._watched}
        self._transactions.append(Transaction(transaction.position, changes))
        self._behind += sum(map(len, changes.values()))
        if self._behind > MOST_BEHIND:
            log.warning("live queries are too far behind the projection: all of them read anew")
            self._begin_anew()
        self._come.set()

    def replaced(self) -> None:
        self._stopped = False
        self._begin_anew()

    def stopped(self) -> None:
        self._stopped = True
        self._begin_anew()
        for watched in self._all():
            watched.end(_no_projection())

    def _begin_anew(self) -> None:
        self._transactions.clear()
        self._behind = 0
        self._round += 1
        for watched in self._all():
            watched.forget()

    def _all(self) -> list[Watched]:
        return [watched for questions in self._watched.values() for watched in questions.values()]

    def _join(self, question: Question) -> Watched:
        questions = self._watched.setdefault(question.tenant_id, {})
        try:
            watched = questions.get(question)
            if watched is None:
                gate = self._gates.setdefault(question.tenant_id, asyncio.Semaphore(READINGS))
                watched = questions[question] = Watched(question, self._projected, gate)
            return watched
        finally:
            if not questions:
                del self._watched[question.tenant_id]

    def _leave(self, watched: Watched) -> None:
        if watched.watchers:
            return
        watched.close()
        questions = self._watched.get(watched.question.tenant_id, {})
        if questions.get(watched.question) is watched:
            del questions[watched.question]
            if not questions:
                del self._watched[watched.question.tenant_id]

    async def _tell_all(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(QUIET, self._tell_places_next)
        while True:
            if self._places_due:
                self._places_due = False
                loop.call_later(QUIET, self._tell_places_next)
                for watched in self._all():
                    if self._passed and (place := watched.place(self._passed)) is not None:
                        await self._tell_watchers(watched, [place])
            elif self._transactions:
                some = [self._transactions.popleft() for _ in range(min(len(self._transactions), TOGETHER))]
                self._behind -= sum(len(changes) for each in some for changes in each.changes.values())
                await self._tell(some)
            else:
                self._come.clear()
                await self._come.wait()

    def _tell_places_next(self) -> None:
        self._places_due = True
        self._come.set()

    async def _tell(self, transactions: Sequence[Transaction]) -> None:
        """Tell of transactions, question after question, unless they say nothing any more."""
        begun = self._round
        for tenant_id in dict.fromkeys(tenant_id for each in transactions for tenant_id in each.changes):
            told_of = [(each.changes[tenant_id], each.position) for each in transactions if tenant_id in each.changes]
            for watched in list(self._watched.get(tenant_id, {}).values()):
                tolds = await self._looked_at(watched, told_of)
                if begun != self._round:
                    return
                if tolds:
                    watched.changed_at = tolds[-1].sequence
                    await self._tell_watchers(watched, tolds)
        if begun == self._round:
            self._passed = transactions[-1].position

    async def _looked_at(self, watched: Watched, told_of: Sequence[tuple[Sequence[Changed], str]]) -> list[Told]:
        """What the watchers of a question are told of changes."""
        tolds: list[Told] = []
        try:
            for changes, position in told_of:
                tolds += watched.told(await self._judged(watched, changes), position)
        except Exception:
            log.exception("a filter could not be run", extra={"filter": watched.question.filter})
            watched.end(AggregateError("the filter could not be run; the node's log has the details"))
            return []
        return tolds

    async def _judged(self, watched: Watched, changes: Sequence[Changed]) -> list[Judged]:
        """Which of the changes concern a question."""
        wanted = watched.question.aggregate_type
        if wanted is not None:
            changes = [change for change in changes if change.aggregate_type == wanted]
        judged: list[Judged] = []
        for start in range(0, len(changes), AT_ONCE):
            some = changes[start : start + AT_ONCE]
            rows = [row for change in some for row in (change.before, change.after) if row is not None]
            self.counts.evaluations += len(rows)
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
                self.counts.events += len(told.events)
                if not watcher.put(told):
                    self.counts.lags += 1
                    break
            if index % WOKEN_AT_ONCE == 0:
                await asyncio.sleep(REST)
                if begun != self._round:
                    return


def _no_projection() -> Unavailable:
    return Unavailable("the node's projection stopped: go on with the resume token, here later or on another node", "no_projection")
