"""`Custody`: what a node does for its tenants when the placement changes: lead one out that is on the move, take it again where the move
was given up, forget it where it has gone.

The document is the only order there is. So a node that was down, or that slept, does the right thing when it reads it, and nobody has to
know how far it had come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import structlog

from aggregate.errors import AggregateError
from aggregate.placement.config import Draining, TenantPlacementConfig
from aggregate.placement.store import Drained, PlacementStore
from aggregate.placement.watch import PlacementWatch
from aggregate.stream.interface import StoredMessage
from aggregate.types import TenantId
from aggregate.types.time import now_milliseconds, parse_time

log = structlog.get_logger("aggregate.placement")

RETRY = 0.2


class Led(Protocol):
    """What became of leading a tenant out."""

    @property
    def outcome(self) -> str: ...


class Tenants(Protocol):
    """What the handler does."""

    async def drain_tenant(self, tenant_id: TenantId, timeout: float, expires: float | None = None) -> Led: ...

    def undrain_tenant(self, tenant_id: TenantId) -> bool: ...

    def forget_tenant(self, tenant_id: TenantId) -> None: ...

    def tenants(self) -> Collection[str]: ...

    def on_read(self, heard: Callable[[StoredMessage], None]) -> None: ...


class Custody:
    """Follows the placement for one node."""

    def __init__(self, node: str, watch: PlacementWatch) -> None:
        """`node`: this one's name."""
        self._node = node
        self._watch = watch
        self._store: PlacementStore | None = None
        self._tenants: Tenants | None = None
        self._drains: dict[TenantId, tuple[Draining, asyncio.Task[None]]] = {}
        self._gone: list[Callable[[TenantId], None]] = []

    def on_gone(self, listener: Callable[[TenantId], None]) -> None:
        """Call `listener(tenant)` when a tenant that was served here has another node now."""
        self._gone.append(listener)

    def begin(self, tenants: Tenants, store: PlacementStore) -> None:
        """Do what the placement of now asks for, and go on with what it will."""
        self._tenants, self._store = tenants, store
        self._watch.listen(self._changed)
        self._changed(self._watch.config, self._watch.config)

    async def stop(self) -> None:
        """Lead nobody out any more."""
        for _, task in self._drains.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in self._drains.values()), return_exceptions=True)

    def _changed(self, before: TenantPlacementConfig, after: TenantPlacementConfig) -> None:
        assert self._tenants is not None, "begin comes first"
        wanted = {tenant: entry for tenant, entry in after.draining.items() if after.get_node(tenant) == self._node and left(entry) > 0}
        for tenant in [each for each, (entry, _) in self._drains.items() if wanted.get(each) != entry]:
            self._take_again(tenant)
        for tenant, entry in wanted.items():
            if tenant not in self._drains:
                self._drains[tenant] = entry, asyncio.create_task(self._lead_out(tenant, entry, after.epoch))
        for tenant in self._gone_between(before, after):
            self._tenants.forget_tenant(tenant)
            log.info("a tenant has another node now", tenant_id=tenant, node=after.get_node(tenant), epoch=after.epoch)
            for listener in self._gone:
                listener(tenant)

    def _gone_between(self, before: TenantPlacementConfig, after: TenantPlacementConfig) -> Iterable[TenantId]:
        """Tenants of ours, by what is kept of them, that were placed elsewhere."""
        assert self._tenants is not None, "begin comes first"
        if before is after:
            return
        for tenant in map(TenantId, {*self._tenants.tenants(), *before.tenants}):
            if before.get_node(tenant) in {self._node, None} and after.get_node(tenant) not in {self._node, None}:
                yield tenant

    def _take_again(self, tenant: TenantId) -> None:
        assert self._tenants is not None, "begin comes first"
        _, task = self._drains.pop(tenant)
        task.cancel()
        self._tenants.undrain_tenant(tenant)

    async def _lead_out(self, tenant: TenantId, entry: Draining, epoch: int) -> None:
        """Refuse the tenant's commands until the mark expires; when the last one is answered, say so in the bucket."""
        assert self._tenants is not None, "begin comes first"
        assert self._store is not None, "begin comes first"
        log.info("a tenant is led out", tenant_id=tenant, to=entry.to, until=entry.until, epoch=epoch)
        wait = left(entry)
        led = await self._tenants.drain_tenant(tenant, wait, wait)
        while led.outcome == "drained" and left(entry) > 0:
            try:
                await self._store.tell_drained(tenant, Drained(self._node, epoch, entry.migration))
            except AggregateError as error:
                log.warning("it cannot be told that a tenant is drained; trying again", tenant_id=tenant, reason=str(error))
                await asyncio.sleep(RETRY)
            else:
                return


def left(entry: Draining) -> float:
    """Seconds until a mark ends by itself."""
    return (parse_time(entry.until) - now_milliseconds()) / 1000
