"""`Admission`: which commands may come in, how many are inside, and when nobody is any more.

Limits, quotas and drains in one place, because all of them are about the same counts. Nothing here waits before a command has its place;
everything is called on one event loop.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from aggregate.config import Settings
from aggregate.errors import Overloaded, Unavailable
from aggregate.handler.lane import Lane
from aggregate.handler.quota import Quota
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId

MOST_TOLD = 100
"""Commands that a report names; it counts all."""


Outcome = Literal["drained", "timeout", "lifted"]


@dataclass(frozen=True, slots=True)
class Running:
    """A command that a drain still waits for."""

    aggregate_type: AggregateType
    aggregate_id: AggregateId
    command_id: str


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What became of draining a tenant.

    Attributes:
        outcome: `drained`: nothing of the tenant is under way and nothing comes in; `timeout`: it takes no new commands, but some are still
            under way; `lifted`: it takes commands again, because somebody lifted the drain or it expired.
        in_flight: commands under way.
        running: the first of them.
    """

    tenant_id: TenantId
    outcome: Outcome
    in_flight: int = 0
    running: tuple[Running, ...] = ()


@dataclass(slots=True)
class _Closed:
    """A tenant that takes no commands, until a time of `time.monotonic()`."""

    until: float
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Admission:
    """The door of a handler. `check`, then `enter`, then `leave`, without waiting between the first two.

    Args:
        lanes: the aggregates at work: a lane may work on for a caller that has gone.
    """

    def __init__(self, settings: Settings, lanes: Mapping[AggregateKey, Lane]) -> None:
        self._lanes = lanes
        self._most = settings.max_in_flight
        self._most_of_tenant = settings.quota_in_flight
        self._commands = Quota(settings.quota_commands, "commands")
        self._gas = Quota(settings.quota_gas, "gas")
        self._of_tenant: dict[TenantId, int] = {}
        self._closed: dict[TenantId, _Closed] = {}
        self._stopping = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.total = 0
        """Commands between entry and answer."""

    def check(self, tenant: TenantId) -> None:
        """Whether a command of the tenant may come in.

        Raises:
            Unavailable: the node stops, or the tenant is drained. Overloaded: a limit or a quota is reached.
        """
        if self._stopping:
            raise Unavailable("the node stops; send the command to another", reason="draining")
        if self._closed and self._closed_now(tenant) is not None:
            raise Unavailable(
                f"tenant {str(tenant)!r} is being moved away from this node; try again soon", reason="tenant_draining", retry_after=0.2
            )
        mine = self._of_tenant.get(tenant, 0)
        if self._most_of_tenant and mine >= self._most_of_tenant:
            raise Overloaded(f"tenant {str(tenant)!r} has {mine} commands in flight, its quota", reason="quota_in_flight")
        self._commands.check(tenant)
        self._gas.check(tenant)
        if self.total >= self._most:
            raise Overloaded(f"the node has {self.total} commands in flight", reason="in_flight")
        if mine > self._most - self.total:  # so that whoever comes next finds room: n busy tenants get a share of 1/(n + 1) each
            raise Overloaded(f"tenant {str(tenant)!r} has {mine} of the node's {self.total} commands in flight", reason="in_flight_share")

    def enter(self, tenant: TenantId) -> None:
        """Count a command in."""
        self._commands.use(tenant, 1)
        self._of_tenant[tenant] = self._of_tenant.get(tenant, 0) + 1
        self.total += 1
        self._idle.clear()

    def leave(self, tenant: TenantId, gas: int) -> None:
        """Count it out, and the gas that it used."""
        self._gas.use(tenant, gas)
        self.total -= 1
        left = self._of_tenant[tenant] - 1
        if left:
            self._of_tenant[tenant] = left
        else:
            del self._of_tenant[tenant]
        self.rest(tenant)

    def rest(self, tenant: TenantId) -> None:
        """A command or a lane of the tenant has ended: tell whoever waits for the last one."""
        if not self.total and not self._lanes:
            self._idle.set()
        if self._closed and (closed := self._closed.get(tenant)) is not None:
            closed.changed.set()

    async def drain(self, timeout: float) -> bool:
        """Refuse everything new and wait for what is inside, at most `timeout` seconds; returns whether nothing is left."""
        self._stopping = True
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def drain_tenant(self, tenant: TenantId, timeout: float, expires: float | None = None) -> DrainReport:
        """Refuse what is new of a tenant (retryable) and wait for what is inside, at most `timeout` seconds.

        The tenant stays closed, also after a timeout, until `undrain_tenant`; at most `expires` seconds, where that is given. Draining it
        again goes on waiting and sets the time anew.
        """
        until = math.inf if expires is None else time.monotonic() + expires
        closed = self._closed_now(tenant)
        if closed is None:
            closed = self._closed[tenant] = _Closed(until)
        closed.until = until
        end = time.monotonic() + timeout
        while self._busy(tenant):
            closed.changed.clear()
            try:
                async with asyncio.timeout(min(end, closed.until) - time.monotonic()):
                    await closed.changed.wait()
            except TimeoutError:
                break
            if self._closed_now(tenant) is not closed:
                break
        lifted, busy = self._closed_now(tenant) is not closed, self._busy(tenant)
        running = self._running(tenant) if busy else []
        outcome: Outcome = "lifted" if lifted else "timeout" if busy else "drained"
        return DrainReport(tenant, outcome, len(running), tuple(running[:MOST_TOLD]))

    def undrain_tenant(self, tenant: TenantId) -> bool:
        """Take the tenant's commands again; whether it was closed. Whoever waits for its drain hears that it was lifted."""
        closed = self._closed_now(tenant)
        if closed is None:
            return False
        del self._closed[tenant]
        closed.changed.set()
        return True

    def draining_tenants(self) -> list[TenantId]:
        """Those that take no commands now, sorted."""
        return sorted(tenant for tenant in list(self._closed) if self._closed_now(tenant) is not None)

    def in_flight_by_tenant(self) -> Mapping[TenantId, int]:
        """Commands between entry and answer, of tenants that have some."""
        return self._of_tenant

    def _closed_now(self, tenant: TenantId) -> _Closed | None:
        closed = self._closed.get(tenant)
        if closed is not None and time.monotonic() >= closed.until:
            del self._closed[tenant]
            closed.changed.set()
            return None
        return closed

    def _busy(self, tenant: TenantId) -> bool:
        return tenant in self._of_tenant or any(key.tenant_id == tenant for key in self._lanes)

    def _running(self, tenant: TenantId) -> list[Running]:
        return [
            Running(key.aggregate_type, key.aggregate_id, command_id)
            for key, lane in self._lanes.items()
            if key.tenant_id == tenant
            for command_id in lane.command_ids()
        ]
