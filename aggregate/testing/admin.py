"""`AdminTestServer`: an admin server around a test handler, and what the plan's tests do with it. `AdminServer.new_test` gives one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Self

from aggregate.admin.health import health_routes
from aggregate.admin.metrics import metrics_routes
from aggregate.admin.placement import placement_routes
from aggregate.admin.server import AdminServer
from aggregate.admin.tenants import tenant_routes
from aggregate.config import Settings
from aggregate.errors import Unavailable
from aggregate.handler import AggregateHandler
from aggregate.observability.activity import Activity
from aggregate.observability.metrics import CONTENT_TYPES, Metrics
from aggregate.placement.config import TenantPlacementConfig
from aggregate.placement.seat import Seat
from aggregate.placement.store import PlacementStore
from aggregate.stream import StreamClient
from aggregate.testing.servers import ANY_PORT, health_of
from aggregate.types import Command, TenantId

TENANT = "test-tenant"
NODE = "node-a"
SENDERS = 4


class AdminTestServer(AdminServer):
    """A running server whose handler has handled one command of `test-tenant`."""

    handler: AggregateHandler
    placement: PlacementStore
    _senders: tuple[asyncio.Task[None], ...] = ()

    @classmethod
    async def running(cls, **options: Any) -> Self:
        """A new one on a free port; `options` are those of `Environment.handler`."""
        metrics, activity = Metrics(["Account"]), Activity()
        handler = await AggregateHandler.new_test(observers=(metrics.observe, activity.observe), **options)
        await handler.submit(Command.new_test_deposit_with_tenant(TENANT, 100))
        seat = Seat(NODE, None)
        stream = handler.stream()
        assert isinstance(stream, StreamClient)
        seat.attach(stream)
        assert seat.store is not None
        routes = [
            *health_routes(lambda: health_of(handler)),
            *metrics_routes(metrics.export, CONTENT_TYPES),
            *tenant_routes(lambda: handler, activity.times, timeout=5.0, placed=seat.ownership.pinned),
            *placement_routes(seat),
        ]
        server = cls(Settings(**ANY_PORT), routes)
        server.handler, server.placement = handler, seat.store
        await server.start()
        return server

    async def stop(self) -> None:
        """Stop the senders and answer no more."""
        for task in self._senders:
            task.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        self._senders = ()
        await super().stop()

    async def start_command_processing(self, tenant: str = TENANT) -> None:
        """Let a few senders submit commands of a tenant without pause, until it is drained; returns when commands are in flight."""

        async def send() -> None:
            with contextlib.suppress(Unavailable):
                while True:
                    await self.handler.submit(Command.new_test_deposit_with_tenant(tenant, 1))

        self._senders += tuple(asyncio.create_task(send()) for _ in range(SENDERS))
        await asyncio.sleep(0)  # each task runs until its first command is in flight
        assert self.handler.in_flight

    async def update_nats_kv_config(self, document: dict[str, Any]) -> None:
        """Make this document the placement in the bucket; the server is not told."""
        await self.placement.update(lambda now: TenantPlacementConfig.from_values({**document, "epoch": now.epoch + 1}))

    async def get_hosted_tenants(self) -> list[TenantId]:
        """The tenants of `/admin/tenants`."""
        return [TenantId(each["tenant_id"]) for each in (await self.get("/admin/tenants")).json()]
