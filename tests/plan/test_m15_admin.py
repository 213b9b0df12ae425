"""Plan milestone 15: admin endpoints (health, readiness, metrics)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aggregate.admin.server import AdminServer
from aggregate.testing import Environment


@pytest.fixture
async def server() -> AsyncIterator[AdminServer]:
    async with Environment():
        running = await AdminServer.new_test()
        yield running
        await running.stop()


async def test_t15_1_health_endpoint(server: AdminServer) -> None:
    response = await server.get("/health")
    assert response.status == 200
    health = response.json()
    assert health["healthy"]
    assert health["nats_connected"]
    assert health["storage_connected"]
    assert health["active_aggregates"] == 1


async def test_t15_2_ready_endpoint(server: AdminServer) -> None:
    response = await server.get("/ready")
    assert response.status == 200
    body = response.json()
    assert (body["ready"], body["reasons"]) == (True, [])
    assert body["durability"].startswith("an acknowledged command stands on")


async def test_t15_3_metrics_prometheus_format(server: AdminServer) -> None:
    body = (await server.get("/metrics")).text
    assert 'aggregate_commands_total{aggregate_type="Account",tenant_id="test-tenant"} 1.0' in body
    assert "# TYPE aggregate_commands_total counter" in body
    assert 'aggregate_command_duration_seconds_bucket{aggregate_type="Account",le="0.001",tenant_id="test-tenant"}' in body


async def test_t15_7_admin_server_serves_many_tasks(server: AdminServer) -> None:
    answers = await asyncio.gather(*(server.get(path) for path in ("/health", "/ready", "/metrics") * 10))
    assert {answer.status for answer in answers} == {200}
