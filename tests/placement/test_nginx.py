"""A real nginx with the rendered routes before two real nodes: each tenant's calls reach its node, streams and errors included."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from aggregate.client import AggregateClient
from aggregate.errors import Rejected, Unavailable
from aggregate.placement.store import PlacementStore
from aggregate.testing.ports import free_port
from aggregate.types import AggregateId, Command

from .load import DEPOSIT, OPEN
from .test_routing import Caller, Start, place, start

__all__ = ["start"]

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed (Debian package nginx)")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[tuple[int, Path]]:
    """The port of an nginx, and the file of its routes: it starts when that is there."""
    port, routes = free_port(), tmp_path / "routes.conf"
    yield port, routes
    if (tmp_path / "pid").exists():
        tell(tmp_path, signal.SIGTERM)


def tell(folder: Path, number: signal.Signals) -> None:
    """Send nginx a signal."""
    os.kill(int((folder / "pid").read_text()), number)


def begin(port: int, routes: Path, text: str) -> None:
    """Start nginx with these routes."""
    folder = routes.parent
    routes.write_text(text.replace("listen 50051", f"listen 127.0.0.1:{port}"))
    temporary = "".join(f"{each}_temp_path {folder}/{each}; " for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid; error_log {folder}/error.log; events {{}} http {{ access_log off; {temporary} include {routes}; }}"
    )
    subprocess.run(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], check=True, capture_output=True)


async def test_each_tenant_reaches_its_node(start: Start, store: PlacementStore, gateway: tuple[int, Path]) -> None:
    port, routes = gateway
    a, b = await start("node-a"), await start("node-b")
    await place(store, a, b, acme="node-a", globex="node-b")
    begin(port, routes, (await a.admin.get("/admin/routes/nginx")).text)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for tenant, node in (("acme", "node-a"), ("globex", "node-b"), ("ACME", None), ("initech", None), ("", None)):
            reply, initial, trailing = await Caller(channel, tenant).submit(AggregateId.new_v7())
            assert reply.version == 1
            assert initial["x-command-id"] == reply.command_id
            assert trailing["x-aggregate-served-by"] == trailing["x-aggregate-node"]
            assert node in {None, trailing["x-aggregate-node"]}
    async with AggregateClient(f"127.0.0.1:{port}", tenant_id="globex") as client:
        account = AggregateId.new_v7()
        await client.submit("Account", account, OPEN)
        with pytest.raises(Rejected, match="insufficient"):
            await client.submit("Account", account, {"type": "withdraw", "amount": 5})
        outcomes = [each async for each in client.submit_many(Command.new_test_deposit_with_tenant("globex", 1) for _ in range(300))]
        assert len(outcomes) == 300
        assert (await anext(aiter(client.subscribe(aggregate_ids=[account])))).events[0].version == 1


async def test_routes_change_without_a_restart_and_a_dead_node_is_no_end(
    start: Start, store: PlacementStore, gateway: tuple[int, Path]
) -> None:
    port, routes = gateway
    a, b = await start("node-a"), await start("node-b")
    await place(store, a, b, acme="node-a")
    begin(port, routes, (await a.admin.get("/admin/routes/nginx")).text)
    account = AggregateId.new_v7()
    async with AggregateClient(f"127.0.0.1:{port}", tenant_id="acme") as client:
        await client.submit("Account", account, OPEN)
        await place(store, a, b, acme="node-b")
        routes.write_text((await b.admin.get("/admin/routes/nginx")).text.replace("listen 50051", f"listen 127.0.0.1:{port}"))
        tell(routes.parent, signal.SIGHUP)
        assert (await client.submit("Account", account, DEPOSIT)).version == 2
        await b.stop()
        async with asyncio.timeout(20):
            while True:
                try:
                    receipt = await client.submit("Account", account, DEPOSIT)
                    break
                except Unavailable:
                    await asyncio.sleep(0.05)
        assert receipt.version == 3


async def test_where_no_node_answers_a_caller_is_told_to_try_again(start: Start, store: PlacementStore, gateway: tuple[int, Path]) -> None:
    port, routes = gateway
    a = await start("node-a")
    await place(store, a, acme="node-a")
    begin(port, routes, (await a.admin.get("/admin/routes/nginx")).text)
    await a.stop()
    async with AggregateClient(f"127.0.0.1:{port}", tenant_id="acme") as client:
        with pytest.raises(Unavailable):
            await client.submit("Account", AggregateId.new_v7(), OPEN)
