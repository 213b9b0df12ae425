"""`docker-compose up`: the bank on a node and its log in containers."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator

import pytest

from aggregate.client import AggregateClient
from aggregate.errors import Rejected
from aggregate.testing.nats import free_port
from aggregate.types import AggregateId

from .engine import NATS, docker, nats_image, node_image, run
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


@pytest.fixture
async def project() -> AsyncIterator[tuple[str, str]]:
    """Node and log up; addresses of gRPC and admin."""
    command = (*composer(), "-p", f"bank{secrets.token_hex(3)}")
    node_image(), nats_image()
    env = {"GRPC_PORT": str(free_port()), "ADMIN_PORT": str(free_port()), "NATS_IMAGE": NATS}
    try:
        run(*command, "up", "-d", env=env)
        await until(
            lambda: "healthy" in docker("inspect", run(*command, "ps", "-q", "node", env=env), "--format", "{{.State.Health.Status}}")
        )
        yield f"127.0.0.1:{env['GRPC_PORT']}", f"127.0.0.1:{env['ADMIN_PORT']}"
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


def test_every_profile_is_a_valid_file() -> None:
    services = run(*composer(), "--profile", "observability", "config", "--services").split()
    assert {"node", "nats", "metrics", "alerts", "logs", "collector", "grafana"} == set(services)
