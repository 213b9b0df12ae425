"""Plan milestone 15: admin endpoints."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from aggregate.admin.server import AdminServer
from aggregate.errors import Unavailable
from aggregate.testing import Environment
from aggregate.testing.admin import AdminTestServer
from aggregate.types import Command, TenantId


@pytest.fixture
async def server() -> AsyncIterator[AdminTestServer]:
    async with Environment():
        running = await AdminServer.new_test()
        yield running
        await running.stop()


async def test_t15_1_health_endpoint(server: AdminTestServer) -> None:
    response = await server.get("/health")
    assert response.status == 200
    health = response.json()
    assert health["healthy"]
    assert health["nats_connected"]
    assert health["storage_connected"]
    assert health["active_aggregates"] == 1


async def test_t15_2_ready_endpoint(server: AdminTestServer) -> None:
    response = await server.get("/ready")
    assert response.status == 200
    body = response.json()
    assert (body["ready"], body["reasons"]) == (True, [])
    assert body["durability"].startswith("an acknowledged command stands on")
    assert {name for name, check in body["checks"].items() if check["ok"]} >= {"stream", "storage"}


async def test_t15_3_metrics_prometheus_format(server: AdminTestServer) -> None:
    body = (await server.get("/metrics")).text
    assert 'aggregate_commands_total{aggregate_type="Account",tenant_id="test-tenant"} 1.0' in body
    assert "# TYPE aggregate_commands_total counter" in body
    assert 'aggregate_command_duration_seconds_bucket{aggregate_type="Account",le="0.001",tenant_id="test-tenant"}' in body


async def test_t15_4_tenants_list(server: AdminTestServer) -> None:
    (tenant,) = (await server.get("/admin/tenants")).json()
    assert TenantId(tenant["tenant_id"]) == TenantId("test-tenant")
    assert tenant["aggregate_count"] == 1
    assert tenant["last_activity"].startswith("20")
    assert await server.get_hosted_tenants() == ["test-tenant"]


async def test_t15_5_drain_waits(server: AdminTestServer) -> None:
    await server.start_command_processing()
    start = time.monotonic()
    response = await server.post("/admin/drain", {"tenant_id": "test-tenant"})
    assert time.monotonic() - start < 5
    assert response.status == 200
    assert response.json() == {"tenant_id": "test-tenant", "outcome": "drained", "in_flight": 0, "running": []}
    assert server.handler.in_flight == 0
    with pytest.raises(Unavailable, match="moved away"):
        await server.handler.submit(Command.new_test_deposit_with_tenant("test-tenant", 1))


async def test_t15_6_config_reload(server: AdminTestServer) -> None:
    assert TenantId("new-tenant") not in await server.get_hosted_tenants()
    await server.update_nats_kv_config({"tenants": {"new-tenant": "node-a", "other-tenant": "node-b"}})
    response = await server.post("/admin/reload", {})
    assert response.status == 200
    assert response.json()["changed"] is True
    tenants = await server.get_hosted_tenants()
    assert TenantId("new-tenant") in tenants
    assert TenantId("other-tenant") not in tenants, "it is placed on another node"


async def test_t15_7_admin_server_serves_many_tasks_and_threads(server: AdminTestServer) -> None:
    paths = ("/health", "/ready", "/metrics", "/admin/tenants") * 5
    answers = await asyncio.gather(*(server.get(path) for path in paths))
    assert {answer.status for answer in answers} == {200}
    texts = await asyncio.gather(*(asyncio.to_thread(_fetch, f"http://{server.address}{path}") for path in paths[:8]))
    assert all(json.loads(text) for text in texts if text.startswith(("{", "[")))
    assert len(texts) == 8


def _fetch(url: str) -> str:
    import urllib.request

    with urllib.request.urlopen(url) as response:
        assert response.status == 200
        return response.read().decode()
