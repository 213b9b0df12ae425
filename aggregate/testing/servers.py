"""A gRPC server around a test handler (`AggregateHandler.new_test`): what `CommandServer.new_test` gives."""

from __future__ import annotations

from typing import Any, cast

from aggregate._version import __version__
from aggregate.config import Settings
from aggregate.gateway.health import Check, HealthStatus
from aggregate.gateway.interface import Backend
from aggregate.gateway.server import CommandServer
from aggregate.handler import AggregateHandler
from aggregate.query.client import QueryClient
from aggregate.storage import StorageClient
from aggregate.stream import StreamClient
from aggregate.types.json import canonical, parse

ANY_PORT = {"grpc_address": "127.0.0.1:0", "admin_address": "127.0.0.1:0"}


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
        checks=(Check("stream", ok=stream.connected), Check("storage", ok=storage.health().connected)),
    )


async def command_server(**options: Any) -> CommandServer:
    """A command server that listens on a free port; `options` are those of `Environment.handler`. To be stopped by the caller."""
    handler = await AggregateHandler.new_test(**options)
    stream = handler.stream()
    assert isinstance(stream, StreamClient)
    server = CommandServer(
        Backend(lambda: handler, lambda: stream, lambda text: canonical(parse(text)), lambda: cast(QueryClient, handler.query_client())),
        Settings(**ANY_PORT),
        lambda: health_of(handler),
    )
    await server.start()
    return server
