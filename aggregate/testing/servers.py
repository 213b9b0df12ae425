"""Servers around a test handler (`AggregateHandler.new_test`): what `CommandServer.new_test` and `AdminServer.new_test` give."""

from __future__ import annotations

from typing import Any

from aggregate._version import __version__
from aggregate.admin.server import AdminServer
from aggregate.config import Settings
from aggregate.gateway.health import HealthStatus
from aggregate.gateway.interface import Backend
from aggregate.gateway.server import CommandServer
from aggregate.handler import AggregateHandler
from aggregate.observability.metrics import Metrics
from aggregate.storage import StorageClient
from aggregate.stream import StreamClient
from aggregate.types import Command
from aggregate.types.json import canonical, parse

ANY_PORT = {"grpc_address": "127.0.0.1:0", "admin_address": "127.0.0.1:0"}
TENANT = "test-tenant"


def health_of(handler: AggregateHandler) -> HealthStatus:
    """How a test handler is."""
    stream, storage = handler.stream(), handler.storage()
    assert isinstance(stream, StreamClient)
    assert isinstance(storage, StorageClient)
    return HealthStatus(
        nats_connected=stream.connected,
        storage_connected=storage.health().connected,
        active_aggregates=handler.active_aggregates,
        in_flight=handler.in_flight,
        engine=handler.engine_name,
        node="test",
        version=__version__,
        durability=stream.durability,
    )


async def command_server(**options: Any) -> CommandServer:
    """A command server that listens on a free port; `options` are those of `Environment.handler`. To be stopped by the caller."""
    handler = await AggregateHandler.new_test(**options)
    stream = handler.stream()
    assert isinstance(stream, StreamClient)
    server = CommandServer(
        Backend(lambda: handler, lambda: stream, lambda text: canonical(parse(text))), Settings(**ANY_PORT), lambda: health_of(handler)
    )
    await server.start()
    return server


async def admin_server(**options: Any) -> AdminServer:
    """An admin server that listens on a free port, its handler having handled one command of `test-tenant`. To be stopped by the caller."""
    metrics = Metrics(["Account"])
    handler = await AggregateHandler.new_test(observers=(metrics.observe,), **options)
    await handler.submit(Command.new_test_deposit_with_tenant(TENANT, 100))
    server = AdminServer(Settings(**ANY_PORT), lambda: health_of(handler), metrics.export)
    await server.start()
    return server
