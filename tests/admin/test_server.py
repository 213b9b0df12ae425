"""The admin server over real HTTP."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from aggregate.admin.client import ask
from aggregate.admin.health import health_routes
from aggregate.admin.metrics import metrics_routes
from aggregate.admin.server import AdminServer
from aggregate.config.settings import Settings
from aggregate.errors import ConfigError
from aggregate.gateway.health import Check, HealthStatus
from aggregate.observability.metrics import CONTENT_TYPES

WELL = HealthStatus(True, True, active_aggregates=3, in_flight=1, engine="pure", node="n1", version="1", durability="fsync always")


class Node:
    status = WELL

    def health(self) -> HealthStatus:
        return self.status


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
async def url(node: Node) -> AsyncIterator[str]:
    def export(accept: str) -> tuple[bytes, str]:
        return b"some_total 1\n", accept

    routes = [*health_routes(node.health), *metrics_routes(export, CONTENT_TYPES)]
    server = AdminServer(Settings(admin_address="127.0.0.1:0"), routes)
    await server.start()
    yield f"http://{server.address}"
    await server.stop()


async def fetch(url: str) -> tuple[int, aiohttp.typedefs.LooseHeaders, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, dict(response.headers), await response.text()


async def read_json(url: str) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def test_health_tells_how_the_node_is(url: str) -> None:
    status, body = await read_json(url + "/health")
    assert status == 200
    assert body == {
        "healthy": True,
        "ready": True,
        "nats_connected": True,
        "storage_connected": True,
        "active_aggregates": 3,
        "in_flight": 1,
        "engine": "pure",
        "node": "n1",
        "version": "1",
        "durability": "fsync always",
        "reasons": [],
        "warnings": [],
    }


async def test_a_node_without_nats_answers_but_is_neither_healthy_nor_ready(url: str, node: Node) -> None:
    node.status = replace(WELL, nats_connected=False, reasons=("not connected to NATS",))
    status, body = await read_json(url + "/health")
    assert (status, body["healthy"]) == (200, False)
    assert await read_json(url + "/ready") == (
        503,
        {"ready": False, "reasons": ["not connected to NATS"], "warnings": [], "durability": "fsync always", "checks": {}},
    )


async def test_ready_is_200_when_commands_are_taken_and_names_each_part(url: str, node: Node) -> None:
    node.status = replace(WELL, checks=(Check("stream", ok=True), Check("config", ok=True, detail="serves Account")))
    status, body = await read_json(url + "/ready")
    assert (status, body["ready"], body["reasons"]) == (200, True, [])
    assert body["checks"] == {
        "stream": {"name": "stream", "ok": True, "detail": ""},
        "config": {"name": "config", "ok": True, "detail": "serves Account"},
    }


async def test_ready_tells_what_somebody_should_look_at(url: str, node: Node) -> None:
    node.status = replace(WELL, warnings=("a snapshot was wrong",))
    status, body = await read_json(url + "/ready")
    assert (status, body["ready"], body["warnings"]) == (200, True, ["a snapshot was wrong"])


async def test_metrics_are_what_was_exported_for_what_is_accepted(url: str) -> None:
    for accept in CONTENT_TYPES:
        answer = await ask(url.removeprefix("http://"), "GET", "/metrics", headers={"Accept": accept})
        assert (answer.status, answer.text, answer.headers["Content-Type"]) == (200, "some_total 1\n", accept)


async def test_an_unknown_path_is_404(url: str) -> None:
    assert (await fetch(url + "/nothing"))[0] == 404


async def test_a_busy_port_is_one_clear_error(node: Node) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"admin_address: cannot listen on {address}: Address already in use$"):
            await AdminServer(Settings(admin_address=address), health_routes(node.health)).start()
