"""`docker-compose up`: the bank on a node and its log in containers."""

from __future__ import annotations

import json
import secrets
import shutil
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aggregate.client import AggregateClient
from aggregate.errors import Rejected
from aggregate.testing.ports import free_port
from aggregate.types import AggregateId

from .engine import NATS, docker, metrics_image, nats_image, node_image, run
from .waiting import until

pytestmark = [pytest.mark.container, pytest.mark.timeout(1800)]


def composer() -> tuple[str, ...]:
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    try:
        docker("compose", "version")
    except AssertionError:
        pytest.skip("neither docker-compose nor docker compose here (Debian: apt-get install docker-compose)")
    return ("docker", "compose")


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


@pytest.fixture
async def project() -> AsyncIterator[tuple[str, str]]:
    """Node and log up; addresses of gRPC and admin."""
    async with up("nats", "node") as env:
        yield f"127.0.0.1:{env['GRPC_PORT']}", f"127.0.0.1:{env['ADMIN_PORT']}"


@asynccontextmanager
async def up(*services: str, **more: str) -> AsyncIterator[dict[str, str]]:
    """These services up, the node healthy; the variables of the file."""
    command = (*composer(), "--profile", "observability", "-p", f"bank{secrets.token_hex(3)}")
    node_image(), nats_image()
    ports = {name: str(free_port()) for name in ("GRPC_PORT", "ADMIN_PORT", "METRICS_PORT", "GRAFANA_PORT")}
    env = {**ports, "NATS_IMAGE": NATS, **more}
    try:
        run(*command, "up", "-d", *services, env=env)
        node = run(*command, "ps", "-q", "node", env=env)
        await until(lambda: docker("inspect", node, "--format", "{{.State.Health.Status}}") == "healthy")
        yield env
    finally:
        run(*command, "down", "-v", env=env)


async def test_the_bank(project: tuple[str, str]) -> None:
    async with AggregateClient(project[0], tenant_id="acme") as client:
        account = AggregateId.new_v7()
        steps = ({"type": "open_account", "initial_balance": 0}, {"type": "deposit", "amount": 100}, {"type": "withdraw", "amount": 25})
        for version, step in enumerate(steps, 1):
            assert (await client.submit("Account", account, step)).version == version
        with pytest.raises(Rejected) as refused:
            await client.submit("Account", account, {"type": "withdraw", "amount": 1000})
        assert refused.value.rejection_code == "insufficient_funds"
        state = await client.get("Account", account)
        assert (state.state.value["balance"], state.version) == (75, 3)


async def test_what_watches_reads_the_metrics_and_the_rules() -> None:
    image = metrics_image()
    images = {"VICTORIA_METRICS_IMAGE": image, "VMALERT_IMAGE": image, "VMALERT": "vmalert"}
    async with up("nats", "node", "metrics", "alerts", **images) as env:
        query = f"http://127.0.0.1:{env['METRICS_PORT']}/api/v1/query?query=aggregate_ready"
        found = await until(lambda: get(query)["data"]["result"])
        assert [each["value"][1] for each in found] == ["1"]
        assert [each["metric"]["job"] for each in found] == ["aggregate"]


def test_every_profile_is_a_valid_file() -> None:
    services = run(*composer(), "--profile", "observability", "config", "--services").split()
    assert {"node", "nats", "metrics", "alerts", "logs", "collector", "grafana"} == set(services)
