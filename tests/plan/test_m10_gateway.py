"""Plan milestone 10: the interface for commands from the gateway."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import AsyncIterator

import pytest

from aggregate.client import AggregateClient
from aggregate.errors import TenantAccessDenied, ValidationError
from aggregate.gateway.server import CommandServer
from aggregate.testing import Environment
from aggregate.types import Command, TenantId

DEPOSIT = {"type": "deposit", "amount": 100}


@pytest.fixture
async def server() -> AsyncIterator[CommandServer]:
    async with Environment():
        running = await CommandServer.new_test()
        yield running
        await running.stop(0)


async def test_t10_1_server_accepts_command_with_tenant(server: CommandServer) -> None:
    command = Command.new_test_deposit_with_tenant("acme-corp", 100)
    response = await server.handle(command)
    assert (response.command_id, response.version) == (command.command_id, 1)
    assert [event.event_type for event in response.events] == ["deposited"]


async def test_t10_2_x_tenant_id_header_extracted(server: CommandServer) -> None:
    response = await server.handle_with_headers(DEPOSIT, [("x-tenant-id", "acme-corp")])
    assert response.tenant_id == TenantId("acme-corp")
    assert response.events[0].tenant_id == TenantId("acme-corp")


async def test_t10_3_missing_tenant_defaults_empty(server: CommandServer) -> None:
    response = await server.handle_with_headers(DEPOSIT, [])
    assert response.tenant_id == TenantId()


async def test_t10_4_invalid_tenant_id_rejected(server: CommandServer) -> None:
    with pytest.raises(ValidationError) as caught:
        await server.handle_with_headers(DEPOSIT, [("x-tenant-id", "invalid@tenant!")])
    assert caught.value.field == "x-tenant-id"


async def test_t10_5_server_rejects_malformed(server: CommandServer) -> None:
    with pytest.raises(ValidationError) as caught:
        await server.handle_raw({"invalid": True})
    assert caught.value.field == "payload"
    with pytest.raises(ValidationError) as caught:
        await server.handle_raw("{not json")
    assert caught.value.field == "payload"


async def test_t10_6_health_check(server: CommandServer) -> None:
    health = await server.health_check()
    assert health.healthy
    assert health.nats_connected
    assert health.storage_connected


async def test_t10_7_tenant_access_denied_propagated(server: CommandServer) -> None:
    command = Command.new_test_deposit_with_tenant("tenant-a", 100)
    await server.handle(command)
    cross = dataclasses.replace(command, tenant_id=TenantId("tenant-b"))
    with pytest.raises(TenantAccessDenied):
        await server.handle(cross)
    async with AggregateClient(server.address, tenant_id="tenant-b") as client:
        with pytest.raises(TenantAccessDenied):
            await client.submit("Account", command.aggregate_id, DEPOSIT)
        with pytest.raises(TenantAccessDenied):
            await client.get("Account", command.aggregate_id)
    async with AggregateClient(server.address, tenant_id="tenant-a") as client:
        assert (await client.get("Account", command.aggregate_id)).version == 1


async def test_t10_8_server_binds(server: CommandServer) -> None:
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        assert connection.getpeername()[1] == server.port


async def test_task_10_6_correlation_and_trace_reach_the_events(server: CommandServer) -> None:
    headers = [("x-correlation-id", "corr-1"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    response = await server.handle_with_headers(DEPOSIT, headers)
    async with AggregateClient(server.address) as client:
        (event,) = await client.read_events("Account", response.aggregate_id)
    assert event.metadata == {"correlation_id": "corr-1", "traceparent": headers[1][1]}
