"""`Migration`: a tenant moves from its node A to another, B, and nothing of it is lost or doubled on the way.

1. B warms while A serves: aggregate by aggregate both say version and state hash; the same version must have the same hash.
2. The tenant is marked as draining, with an expiry: A refuses its commands (retryable), waits for those under way, and gives its word.
3. What was written since the warming began is compared again; now both must be the same in everything.
4. The tenant is pinned to B and the mark taken away, by one compare-and-set. B serves, A forgets.

Whoever carries this out may die at any moment. Before the mark nothing has changed; the mark ends by itself, and A serves again; the swap
is one write. So the remedy is always the same: do it again. A node that dies and comes back reads in the document what it has to do. If A
is dead for good there is nothing to compare: pin its tenants elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from aggregate.errors import AggregateError, TenantAccessDenied, Unavailable
from aggregate.placement.config import Draining, TenantPlacementConfig
from aggregate.placement.custody import left
from aggregate.placement.store import Drained, PlacementStore
from aggregate.stream.interface import StoredMessage
from aggregate.stream.link import Link
from aggregate.stream.node_calls import Answer, Refused, call_node
from aggregate.stream.subjects import filter_subject, key_of
from aggregate.stream.subscription import Passed, Subscription
from aggregate.types import AggregateKey, TenantId, new_uuid7
from aggregate.types.time import format_time, now_milliseconds

WITNESS = "witness"
"""The verb by which a node is asked for what it believes of aggregates."""
PAGE = 200
"""Aggregates asked about at once."""
TRIES = 5
"""Times that an aggregate which changes between two answers is asked about again, before it is left for the end."""
LIFE = 30.0
"""Seconds after which the mark ends by itself."""
MARGIN = 3.0
"""Seconds before its end at which the mark is not trusted any more."""
DRAIN = 15.0
"""Seconds that the commands under way are given."""
LOOK = 0.25

AT_ONCE = 16
"""Aggregates that a node loads at once for another."""

Tell = Callable[[str], None]


class Believed(Protocol):
    """An aggregate as a node has it."""

    @property
    def version(self) -> int: ...

    @property
    def state_hash(self) -> str: ...


Warm = Callable[[AggregateKey], Awaitable[Believed]]
"""Brings an aggregate up to date and keeps it ready."""


class MigrationFailed(AggregateError):
    """The tenant stays where it is."""

    code = "migration_failed"
    status = "FAILED_PRECONDITION"


class Log(Protocol):
    """What is needed of the log's client."""

    @property
    def link(self) -> Link: ...

    def subject_pages(self, pattern: str) -> AsyncGenerator[tuple[list[str], int], None]: ...

    async def last_sequence(self) -> int: ...

    def subscribe(self, subjects: Sequence[str], *, after: int) -> Subscription: ...


@dataclass(slots=True)
class MigrationReport:
    """What a migration did.

    Attributes:
        source: the node that the tenant had; the same as `target` where there was nothing to do.
        aggregates: compared while the tenant was served.
        events: of them together.
        changed: aggregates compared again after the drain.
        refused_seconds: from the mark to the swap: about as long the tenant's commands were refused.
        epoch: of the document that the swap made.
    """

    tenant_id: TenantId
    source: str
    target: str
    migration: str
    aggregates: int = 0
    events: int = 0
    changed: int = 0
    warm_seconds: float = 0.0
    refused_seconds: float = 0.0
    epoch: int = 0
    moved: bool = False


@dataclass(slots=True)
class Migration:
    """One attempt. `run` it once.

    Args:
        tell: gets a sentence after each step.
    """

    log: Log
    store: PlacementStore
    tenant: TenantId
    target: str
    tell: Tell = lambda _: None
    id: str = field(default_factory=new_uuid7)

    async def run(self) -> MigrationReport:
        """Move the tenant.

        Raises:
            ConfigError, MigrationFailed: it cannot be, or should not be. Unavailable: a node or the log does not answer: try again.
            In each case the tenant stays where it is; unless only the answer to the swap was lost: run it again and it will say so.
        """
        source = await self._source()
        report = MigrationReport(self.tenant, source, self.target, self.id)
        if source == self.target:
            self.tell(f"{self.tenant or '(no tenant)'} is on {self.target} already")
            return report
        started = time.monotonic()
        before = await self.log.last_sequence()
        await self._compare_all(report)
        report.warm_seconds = time.monotonic() - started
        self.tell(f"{self.target} is warm: {report.aggregates} aggregates, {report.events} events, all hashes the same")
        try:
            await self._move(report, before)
        except BaseException:
            await asyncio.shield(self._give_up())
            raise
        self.tell(f"{self.tenant} is on {self.target}, epoch {report.epoch}; its commands were refused for {report.refused_seconds:.3f} s")
        return report

    async def _move(self, report: MigrationReport, before: int) -> None:
        """The part in which the tenant's commands are refused."""
        marked_at = time.monotonic()
        marked = await self.store.update(self._marked)
        await self._drained(report.source, marked.config.epoch)
        self.tell(f"{report.source} is drained of it")
        try:
            async with asyncio.timeout(LIFE - MARGIN - (time.monotonic() - marked_at)):
                report.changed = await self._compare_changed(report, before)
        except TimeoutError:
            raise Unavailable("comparing what was written meanwhile took too long; try again", "migration_slow") from None
        swapped = await self.store.update(self._swapped)
        report.refused_seconds = time.monotonic() - marked_at
        report.epoch, report.moved = swapped.config.epoch, True

    async def _source(self) -> str:
        """The tenant's node now. Raises ConfigError, MigrationFailed."""
        stored = await self.store.load()
        config = stored.config if stored is not None else TenantPlacementConfig.from_values({})
        source = config.get_node(self.tenant)
        if source is None or stored is None:
            raise MigrationFailed("no tenant is placed yet: `aggregate placement set` makes a placement")
        if self.target not in config.nodes:
            raise MigrationFailed(f"{self.target} is no node of the placement; known are {', '.join(sorted(config.nodes))}")
        under_way = config.draining.get(self.tenant)
        if under_way is not None and left(under_way) > 0 and under_way.to != self.target:
            raise MigrationFailed(
                f"{self.tenant} is being moved to {under_way.to} by another; should that have died, its mark ends at {under_way.until}"
            )
        return source

    # 1 and 3: what both nodes believe.

    async def _compare_all(self, report: MigrationReport) -> None:
        """Warm the target, and compare every aggregate of the tenant, while the source serves."""
        async with aclosing(self.log.subject_pages(filter_subject(self.tenant))) as pages:
            async for subjects, _ in pages:
                for start in range(0, len(subjects), PAGE):
                    some = subjects[start : start + PAGE]
                    report.events += await self._compare(report.source, some, final=False)
                    report.aggregates += len(some)
                self.tell(f"{report.aggregates} aggregates compared")

    async def _compare_changed(self, report: MigrationReport, after: int) -> int:
        """Compare what was written since; nothing changes any more."""
        changed: dict[str, None] = {}
        async with self.log.subscribe([filter_subject(self.tenant)], after=after) as messages:
            end = await messages.mark()
            async for each in messages:
                if isinstance(each, StoredMessage):
                    changed[each.subject] = None
                if isinstance(each, Passed) and each.sequence >= end:
                    break
        subjects = list(changed)
        for start in range(0, len(subjects), PAGE):
            await self._compare(report.source, subjects[start : start + PAGE], final=True)
        return len(subjects)

    async def _compare(self, source: str, subjects: Sequence[str], *, final: bool) -> int:
        """See that both nodes have the same of some aggregates; returns how many events. Raises MigrationFailed, Unavailable, Refused."""
        waiting: list[str] = list(subjects)
        events = 0
        for attempt in range(TRIES):
            ours, theirs = await asyncio.gather(self._witness(source, waiting), self._witness(self.target, waiting))
            unlike = [each for each in waiting if ours[each] != theirs[each]]
            events += sum(int(ours[each][0]) for each in waiting if ours[each] == theirs[each])
            for each in unlike:
                if ours[each][0] == theirs[each][0]:
                    why = f"{each} at version {ours[each][0]}: {source} has hash {ours[each][1]}, {self.target} has {theirs[each][1]}"
                    raise MigrationFailed(f"the nodes do not agree on {why}; `aggregate replay` says which is right")
            waiting = unlike
            if not waiting:
                return events
            await asyncio.sleep(0.01 * 2**attempt)
        if final:
            raise MigrationFailed(
                f"{len(waiting)} aggregates are not at the same version on both nodes though nothing changes: {waiting[0]}"
            )
        return events  # they change all the time: they will be looked at when that has ended

    async def _witness(self, node: str, subjects: Sequence[str]) -> dict[str, tuple[int, str]]:
        told = await call_node(self.log.link, node, WITNESS, {"subjects": list(subjects)})
        return {subject: (int(version), str(state_hash)) for subject, (version, state_hash) in told["witnesses"].items()}

    # 2: the mark and the word.

    def _marked(self, now: TenantPlacementConfig) -> TenantPlacementConfig:
        mark = Draining(self.target, format_time(now_milliseconds() + int(LIFE * 1000)), self.id)
        return now.changed(draining={**_live(now, but=self.tenant), self.tenant: asdict(mark)})

    async def _drained(self, source: str, epoch: int) -> None:
        """Wait for the source's word. Raises Unavailable: it does not come in time."""
        wanted = Drained(source, epoch, self.id)
        hint = asyncio.Event()
        unwatch = await self.store.watch(hint.set)
        try:
            async with asyncio.timeout(DRAIN):
                while True:
                    hint.clear()
                    found = await self.store.drained(self.tenant)
                    # A later epoch is somebody else's change of the document: the mark in it is ours all the same.
                    if found is not None and (found.node, found.migration) == (source, self.id) and found.epoch >= wanted.epoch:
                        return
                    try:
                        async with asyncio.timeout(LOOK if not hint.is_set() else 0):
                            await hint.wait()
                    except TimeoutError:
                        continue
        except TimeoutError:
            raise Unavailable(f"{source} did not drain within {DRAIN:g} s: it is down, or a command hangs", "not_drained") from None
        finally:
            await unwatch()

    # 4: the swap.

    def _swapped(self, now: TenantPlacementConfig) -> TenantPlacementConfig:
        mark = now.draining.get(self.tenant)
        if now.tenants.get(self.tenant) == self.target and (mark is None or mark.migration != self.id):
            return now  # it was written, and the answer was lost
        if mark is None or mark.migration != self.id:
            raise MigrationFailed("the mark was taken away or replaced by somebody else meanwhile")
        if left(mark) < MARGIN / 2:
            raise MigrationFailed("the mark is about to end: it took too long")
        pins = {**now.to_dict().get("tenants", {}), self.tenant: self.target}
        return now.changed(tenants=pins, draining=_live(now, but=self.tenant))

    async def _give_up(self) -> None:
        """Take our mark away, where it is still there, so that the source serves again at once; else it ends by itself."""

        def lifted(now: TenantPlacementConfig) -> TenantPlacementConfig:
            mark = now.draining.get(self.tenant)
            return now if mark is None or mark.migration != self.id else now.changed(draining=_live(now, but=self.tenant))

        try:
            await self.store.update(lifted)
        except AggregateError:
            self.tell("the mark could not be taken away: it ends by itself")


def _live(config: TenantPlacementConfig, *, but: TenantId) -> dict[str, Any]:
    """The marks of other migrations that have not ended."""
    return {tenant: asdict(entry) for tenant, entry in config.draining.items() if tenant != but and left(entry) > 0}


def witnesses(warm: Warm) -> Answer:
    """What a node answers when it is asked for `WITNESS`: version and state hash of each aggregate, which it keeps ready from then on."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def witness(subject: str) -> tuple[int, str]:
        async with at_once:
            try:
                found = await warm(key_of(subject))
            except TenantAccessDenied:
                return 0, ""  # it tried to use another tenant's id: there is nothing of it but the refusal
            return found.version, found.state_hash

    async def answer(body: dict[str, Any]) -> dict[str, Any]:
        subjects = body.get("subjects")
        if not isinstance(subjects, list) or len(subjects) > PAGE:
            raise Refused(f"expected at most {PAGE} subjects")
        found = await asyncio.gather(*map(witness, subjects))
        return {"witnesses": dict(zip(subjects, found, strict=True))}

    return answer
