"""Queries and live queries of a tenant that moves: two and three real nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from aggregate.client import AggregateClient
from aggregate.config import Settings
from aggregate.errors import AggregateError, Unavailable
from aggregate.gateway.routing import FORWARDED
from aggregate.node import Node
from aggregate.placement.store import PlacementStore
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateId, TenantId
from tests.placement.load import Load
from tests.placement.test_routing import place
from tests.stream.waiting import eventually

ACME = TenantId("acme")


class Nodes:
    """Starts nodes by their names; they are ready."""

    def __init__(self, url: str, folder: Path, stack: AsyncExitStack) -> None:
        self._url, self._folder, self._stack = url, folder, stack

    async def start(self, name: str, **more: Any) -> Node:
        addresses = {"grpc_address": "127.0.0.1:0", "admin_address": "127.0.0.1:0"}
        node = Node(Settings(nats_url=self._url, storage_path=self._folder / name, node_id=name, **addresses, **more))
        self._stack.push_async_callback(node.stop)
        await node.start()
        await node.wait_until_ready()
        return node


@pytest.fixture
async def nodes(nats: EmbeddedNats, tmp_path: Path) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        yield Nodes(nats.url, tmp_path, stack)


def aside(node: Node) -> int:
    """Entries of the tenant's aggregates in a node's projection."""
    assert node._queries is not None
    store = node._queries.projection._stores.served
    assert store is not None
    prefixes = (b"racme\0", b"iacme\0", b"sacme\0", b"cacme\0")
    return store._environment.view(lambda transaction: sum(bytes(key).startswith(prefixes) for key, _ in transaction.cursor()))


async def here(node: Node, filter: str = "", **options: Any) -> list[Any]:  # noqa: A002 - as the public name
    """What a node's own projection answers, as soon as the tenant's rows are there."""
    async with asyncio.timeout(30):
        while True:
            try:
                return list(await node._asked().query(ACME, filter, limit=1000, **options))
            except Unavailable as error:
                if error.reason != "projection_building":
                    raise
            await asyncio.sleep(0.01)


async def not_here(node: Node) -> None:
    with pytest.raises(Unavailable) as caught:
        await node._asked().query(ACME)
    assert caught.value.reason == "not_held"


async def test_a_node_that_gets_a_tenant_catches_up_before_it_answers_and_the_other_lets_go(nodes: Nodes, store: PlacementStore) -> None:
    a, b = await nodes.start("a"), await nodes.start("b")
    await place(store, a, b, acme="a", other="b")
    async with AggregateClient(a.grpc_address, tenant_id="acme") as client:
        for number in range(30):
            receipt = await client.submit("Account", AggregateId.new_v7(), {"type": "open_account", "initial_balance": number})
        assert len(await client.query("balance >= 10", min_position=receipt.position, limit=100)) == 20
        await eventually(lambda: b._asked().projection.position >= receipt.position)
        await not_here(b)
        assert aside(b) == 0
        await a._seat.migrate(ACME, "b")
        rows = await here(b, "balance >= 10", min_position=receipt.position)
        assert len(rows) == 20
        await not_here(a)
        await eventually(lambda: aside(a) == 0)
        assert len(await client.query("balance >= 10", limit=100)) == 20, "the call is passed on"
        receipt = await client.submit("Account", AggregateId.new_v7(), {"type": "open_account", "initial_balance": 99})
        assert len(await client.query("balance >= 10", min_position=receipt.position, limit=100)) == 21
        await a._seat.migrate(ACME, "a")
        assert len(await here(a, "balance >= 10", min_position=receipt.position)) == 21
        await eventually(lambda: aside(b) == 0)


async def test_a_live_query_ends_where_the_tenant_was_and_says_where_it_is(nodes: Nodes, store: PlacementStore) -> None:
    a, b = await nodes.start("a"), await nodes.start("b")
    await place(store, a, b, acme="a")
    async with grpc.aio.insecure_channel(a.grpc_address) as channel, AggregateClient(a.grpc_address, tenant_id="acme") as client:
        receipt = await client.submit("Account", AggregateId.new_v7(), {"type": "open_account", "initial_balance": 60})
        await client.query(min_position=receipt.position)
        stub = pb_grpc.QueryServiceStub(channel)  # type: ignore[no-untyped-call]
        metadata = (("x-tenant-id", "acme"), (FORWARDED, "c"))
        call = stub.Watch(pb.WatchRequest(filter="balance > 50"), metadata=metadata)
        events = [event for _ in range(2) for event in (await call.read()).events]
        assert [event.kind for event in events] == [pb.WatchEvent.ROW, pb.WatchEvent.CAUGHT_UP]
        other = await store.update(lambda now: now.changed(tenants={"acme": "a", "zeta": "b"}))  # nothing of its own
        await eventually(lambda: a._seat.watch.config.epoch >= other.config.epoch)
        receipt = await client.submit("Account", AggregateId.new_v7(), {"type": "open_account", "initial_balance": 61})
        events += (await call.read()).events
        assert events[-1].kind == pb.WatchEvent.ADDED
        await a._seat.migrate(ACME, "b")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        status, info = rpc_status.from_call(caught.value), error_details_pb2.ErrorInfo()
        assert status is not None
        assert any(detail.Unpack(info) for detail in status.details)
        assert (caught.value.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "moved")
        assert (info.metadata["node"], info.metadata["address"]) == ("b", b.grpc_address)
    await here(b)
    async with AggregateClient(b.grpc_address, tenant_id="acme") as there:
        receipt = await there.submit("Account", AggregateId.new_v7(), {"type": "open_account", "initial_balance": 62})
        await there.query(min_position=receipt.position)
        told = []
        async with aclosing(there.watch("balance > 50", resume_token=events[-1].resume_token)) as watching:
            async for event in watching:
                told.append((event.kind, event.row and event.row.state["balance"]))
                if event.kind == "caught_up":
                    break
    assert told == [("changed", 62), ("caught_up", None)], "what changed since the token, and nothing else"


async def test_a_watcher_goes_on_without_gap_while_the_tenant_moves_and_is_written_to(nodes: Nodes, store: PlacementStore) -> None:
    a, b = await nodes.start("a"), await nodes.start("b")
    await place(store, a, b, acme="a")
    view: dict[str, tuple[int, Any]] = {}
    kinds: list[str] = []
    caught_up = asyncio.Event()

    async def follow(client: AggregateClient) -> None:
        async with aclosing(client.watch("balance >= 0", patience=60)) as watching:
            async for event in watching:
                kinds.append(event.kind)
                if event.row is not None:
                    assert event.kind != "no_longer_matching"
                    before = view.get(event.row.aggregate_id, (0, None))[0]
                    assert event.row.version >= before, "never back"
                    view[event.row.aggregate_id] = event.row.version, event.row.state["balance"]
                if event.kind == "caught_up":
                    caught_up.set()

    async with AggregateClient(a.grpc_address, tenant_id="acme") as client, AggregateClient(b.grpc_address, tenant_id="acme") as other:
        watching = [asyncio.create_task(follow(client))]
        await caught_up.wait()
        async with Load("acme", [a.grpc_address, b.grpc_address]) as load:
            for target in ("b", "a", "b"):
                await load.more()
                await a._seat.migrate(ACME, target)
                await here(b if target == "b" else a)
                await load.more()
        receipt = await other.submit("Account", AggregateId.new_v7(), {"type": "open_account", "initial_balance": 7})
        rows = await other.query("balance >= 0", min_position=receipt.position, limit=1000)
        wanted = {row.aggregate_id: (row.version, row.state["balance"]) for row in rows}
        await eventually(lambda: view == wanted or watching[0].done())
        watching[0].cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        assert view == wanted
        assert "lagged" not in kinds, "nothing was lost, so nothing began anew"
        assert kinds.count("caught_up") >= 4, "once for each node that it was on"


async def test_a_node_that_answers_queries_alone_keeps_the_rows_of_some_nodes(nodes: Nodes, store: PlacementStore) -> None:
    a, b = await nodes.start("a"), await nodes.start("b")
    of_a, of_all = (
        await nodes.start("reader", role="query", projection_tenants="a"),
        await nodes.start("archive", role="query"),
    )
    await place(store, a, b, acme="a")
    await eventually(lambda: all(node._seat.ownership.owner(ACME) is not None for node in (of_a, of_all)))
    async with AggregateClient(a.grpc_address, tenant_id="acme") as client:
        receipt = await client.submit("Account", AggregateId.new_v7(), {"type": "open_account", "initial_balance": 1})
    for node in (of_a, of_all):
        assert len(await here(node, min_position=receipt.position)) == 1
    ended: list[AggregateError] = []

    async def follow() -> None:
        try:
            async for _ in of_a._asked().watch(ACME):
                pass
        except AggregateError as error:
            ended.append(error)

    watching = asyncio.create_task(follow())
    assert of_a._queries is not None
    await eventually(lambda: of_a._queries is not None and of_a._queries.live.watchers == 1)
    await a._seat.migrate(ACME, "b")
    await watching
    assert [error.reason for error in ended] == ["moved"]
    await not_here(of_a)
    await eventually(lambda: aside(of_a) == 0)
    assert len(await here(of_all)) == 1


async def test_where_calls_are_served_for_all_every_tenant_is_kept(nodes: Nodes, store: PlacementStore) -> None:
    a, b = await nodes.start("a"), await nodes.start("b", routing="serve")
    await place(store, a, b, acme="a")
    async with AggregateClient(b.grpc_address, tenant_id="acme") as client:
        receipt = await client.submit("Account", AggregateId.new_v7(), {"type": "open_account", "initial_balance": 1})
        assert len(await client.query(min_position=receipt.position)) == 1
    assert aside(b) > 0
