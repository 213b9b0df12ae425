"""`LiveQueries`: all live queries of a node; the `Listener` of its projection. Each tenant has a part of its own (`watched_tenant.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from aggregate.errors import AggregateError, Unavailable
from aggregate.query.interface import Transaction
from aggregate.query.projected import Projected, check_projected
from aggregate.query.resuming import Question, read_token
from aggregate.query.watched_tenant import Counts, WatchedTenant
from aggregate.query.watcher import Watcher
from aggregate.types import AggregateType, TenantId
from aggregate.types.queries import WatchEvent

QUIET = 30.0
"""Seconds after which watchers who were told nothing get a newer token."""


class LiveQueries:
    """The live queries of one node."""

    def __init__(self, projected: Projected, *, buffer_bytes: int = 1 << 20) -> None:
        """`buffer_bytes`: of memory for what waits for one slow watcher."""
        self.counts = Counts()
        self._projected = projected
        self._buffer_bytes = buffer_bytes
        self._tenants: dict[TenantId, WatchedTenant] = {}
        self._passed = ""
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self._unlisten = projected.listen(self)  # from the beginning: what was not told to somebody is not told later

    @property
    def watchers(self) -> int:
        """Live queries that are open."""
        return sum(len(watched.watchers) for tenant in self._tenants.values() for watched in tenant.questions.values())

    @property
    def tenants(self) -> Collection[TenantId]:
        """Those that have some."""
        return tuple(self._tenants)

    @property
    def questions(self) -> int:
        """Distinct ones among them."""
        return sum(len(tenant.questions) for tenant in self._tenants.values())

    async def close(self) -> None:
        """End all of them."""
        self._unlisten()
        self.stopped()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for tenant in list(self._tenants.values()):
            await tenant.close()

    def end(self, tenant_id: TenantId, error: AggregateError) -> None:
        """End those of a tenant."""
        if (tenant := self._tenants.get(tenant_id)) is not None:
            tenant.end(error)

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
        check_projected(aggregate_type, self._projected.types)
        question = Question(tenant_id, aggregate_type, filter)
        resume = read_token(question, resume_token) if resume_token else None
        self._projected.matcher(filter)
        if self._task is None:
            self._task = asyncio.create_task(self._tell_places(), name="places of live queries")
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            tenant = self._tenants[tenant_id] = WatchedTenant(self._projected, self.counts)
        watched = tenant.join(question)
        try:
            async with Watcher(watched, self._projected, resume, self._buffer_bytes) as watcher:
                yield watcher
        finally:
            tenant.leave(watched)
            if not tenant.questions and self._tenants.get(tenant_id) is tenant:
                del self._tenants[tenant_id]
                await tenant.close()

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
        self._passed = transaction.position
        if self._tenants:
            for tenant_id, changes in transaction.changes.items():
                if (tenant := self._tenants.get(tenant_id)) is not None:
                    tenant.committed(changes, transaction.position)

    def replaced(self) -> None:
        self._stopped = False
        self._passed = ""
        for tenant in self._tenants.values():
            tenant.begin_anew()

    def stopped(self) -> None:
        self._stopped = True
        for tenant in self._tenants.values():
            tenant.begin_anew()
            tenant.end(_no_projection())

    async def _tell_places(self) -> None:
        while True:
            await asyncio.sleep(QUIET)
            for tenant in self._tenants.values():
                tenant.passed(self._passed)


def _no_projection() -> Unavailable:
    return Unavailable("the node's projection stopped: go on with the resume token, here later or on another node", "no_projection")
