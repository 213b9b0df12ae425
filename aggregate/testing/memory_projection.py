"""`MemoryProjection`: the projection's twin in memory, as live queries see it (`aggregate.query.projected`). Rows are put in by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aggregate.engine
from aggregate.errors import DeadlineExceeded, Unavailable
from aggregate.query.filters import Filter, Filters
from aggregate.query.interface import Changed, Transaction
from aggregate.query.projected import Listener, Matcher, Reading
from aggregate.stream.positions import position_of, sequence_of
from aggregate.types import AggregateId, AggregateKey, AggregateType, Document, TenantId
from aggregate.types.queries import Row

PAGE = 50
TIME = "2026-01-31T12:00:00.000Z"


class MemoryProjection:
    """Rows of all tenants.

    Attributes:
        incarnation: change it with `replace`.
        kept_from: changes at or before this sequence are not known any more.
    """

    def __init__(self, types: Collection[str] = ("Account",), *, engine: str = "auto") -> None:
        self.types = frozenset(map(AggregateType, types))
        self.incarnation = "first"
        self.kept_from = 0
        self.readings = 0
        self._filters = Filters(aggregate.engine.get(engine))
        self._rows: dict[AggregateKey, Row] = {}
        self._hidden: dict[AggregateKey, Row] = {}
        self._sequence = 0
        self._listeners: list[Listener] = []
        self._moved = asyncio.Event()
        self.available = True

    @property
    def position(self) -> str:
        """Of the log: how far it is."""
        return position_of(self._sequence)

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def matcher(self, filter_text: str) -> Filter:
        return self._filters.get(filter_text)

    @asynccontextmanager
    async def reading(self, tenant_id: TenantId, aggregate_type: AggregateType | None, matcher: Matcher) -> AsyncIterator[Reading]:
        if not self.available:
            raise Unavailable("no projection", "no_projection")
        self.readings += 1
        await asyncio.sleep(0)
        yield _MemoryReading(self, tenant_id, aggregate_type, matcher)

    async def reach(self, position: str, deadline: float) -> None:
        wanted = sequence_of(position)
        while self._sequence < wanted:
            moved = self._moved
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await moved.wait()
            except TimeoutError:
                raise DeadlineExceeded(f"the projection is at {self.position}, not yet at {position}") from None

    def commit(self, writes: Iterable[tuple[AggregateKey, Any]]) -> str:
        """One transaction: each aggregate's new state (a JSON value; None: it is gone). Returns its position."""
        changes: dict[TenantId, dict[AggregateKey, Changed]] = {}
        for key, state in writes:
            self._sequence += 1
            before = self._rows.pop(key, None)
            hidden = self._hidden.pop(key, None)
            version = (before or hidden).version + 1 if before or hidden else 1  # type: ignore[union-attr]  # one of them is there
            row = Row(key.tenant_id, key.aggregate_type, key.aggregate_id, version, Document.of(state), self.position, TIME)
            (self._hidden if state is None else self._rows)[key] = row
            of_tenant = changes.setdefault(key.tenant_id, {})
            first = of_tenant[key].before if key in of_tenant else before
            of_tenant[key] = Changed(first, None if state is None else row)
        told = {
            tenant: tuple(change for change in some.values() if change.before is not None or change.after is not None)
            for tenant, some in changes.items()
        }
        for listener in list(self._listeners):
            listener.committed(Transaction(self.position, told))
        self._moved.set()
        self._moved = asyncio.Event()
        return self.position

    def replace(self, incarnation: str, states: Callable[[Row], Any] = lambda row: row.document.value) -> None:
        """Another projection takes this one's place: every row as `states` says."""
        self.incarnation = incarnation
        for key, row in self._rows.items():
            made = Document.of(states(row))
            self._rows[key] = Row(row.tenant_id, row.aggregate_type, row.aggregate_id, row.version, made, row.position, row.time)
        self.available = True
        for listener in list(self._listeners):
            listener.replaced()

    def stop(self) -> None:
        """There is none any more, until `replace`."""
        self.available = False
        for listener in list(self._listeners):
            listener.stopped()

    def rows(self, tenant_id: TenantId, aggregate_type: AggregateType | None = None) -> list[Row]:
        """A tenant's rows."""
        return [row for key, row in self._rows.items() if key.tenant_id == tenant_id and aggregate_type in {None, key.aggregate_type}]

    def hidden(self, tenant_id: TenantId, aggregate_type: AggregateType | None = None) -> list[Row]:
        """A tenant's aggregates that are gone."""
        return [row for key, row in self._hidden.items() if key.tenant_id == tenant_id and aggregate_type in {None, key.aggregate_type}]


class _MemoryReading:
    def __init__(self, projection: MemoryProjection, tenant_id: TenantId, aggregate_type: AggregateType | None, matcher: Matcher) -> None:
        self.position = projection.position
        self.incarnation = projection.incarnation
        self._kept_from = projection.kept_from
        self._rows = projection.rows(tenant_id, aggregate_type)
        self._hidden = projection.hidden(tenant_id, aggregate_type)
        self._matcher = matcher

    async def pages(self) -> AsyncIterator[Sequence[Row]]:
        for start in range(0, len(self._rows), PAGE):
            await asyncio.sleep(0)
            page = self._rows[start : start + PAGE]
            yield [row for row, matches in zip(page, self._matcher.matches(page), strict=True) if matches]

    async def changed(self, after: str, most: int) -> Sequence[Changed] | None:
        await asyncio.sleep(0)
        start = sequence_of(after)
        found = [Changed(None, row) for row in self._rows if sequence_of(row.position) > start]
        found += [Changed(row, None) for row in self._hidden if sequence_of(row.position) > start]
        return None if start < self._kept_from or len(found) > most else found


def account_key(tenant: str, number: int, aggregate_type: str = "Account") -> AggregateKey:
    """The key of a numbered aggregate, for tests."""
    return AggregateKey(TenantId(tenant), AggregateType(aggregate_type), AggregateId(f"00000000-0000-7000-8000-{number:012x}"))
