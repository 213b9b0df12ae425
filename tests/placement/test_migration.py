"""A tenant moves while it is used: nothing is lost or doubled, whoever dies at whatever step; and the same can be done again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregate import engine
from aggregate.client import AggregateClient
from aggregate.config import Settings
from aggregate.errors import Unavailable
from aggregate.node import Node
from aggregate.placement import TenantPlacementConfig
from aggregate.placement import migration as migrating
from aggregate.placement.migration import WITNESS, Migration, MigrationFailed, MigrationReport
from aggregate.placement.store import PlacementStore
from aggregate.stream import StreamClient
from aggregate.stream.node_calls import Refused, call_node
from aggregate.testing.nats import EmbeddedNats
from aggregate.testing.ports import free_port
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, Document, Receipt, TenantId
from tests.cli.conftest import Cli, cli
from tests.faults.node import NodeProcess
from tests.stream.waiting import eventually

from .load import DEPOSIT, OPEN, Load

__all__ = ["cli"]

ACME = TenantId("acme")
POINTS = ("warm", "marked", "drained", "compared", "swapped")


class Halting(Migration):
    """Stands still at a point of its way, like a coordinator that died there; `go` lets it go on."""

    def __init__(self, log: StreamClient, store: PlacementStore, target: str, at: str) -> None:
        super().__init__(log, store, ACME, target)
        self.at = at
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    async def _halt(self, point: str) -> None:
        if point == self.at:
            self.reached.set()
            await self.go.wait()

    async def _compare_all(self, report: MigrationReport) -> None:
        await super()._compare_all(report)
        await self._halt("warm")

    async def _drained(self, source: str, epoch: int) -> None:
        await self._halt("marked")
        await super()._drained(source, epoch)
        await self._halt("drained")

    async def _compare_changed(self, report: MigrationReport, after: int) -> int:
        changed = await super()._compare_changed(report, after)
        await self._halt("compared")
        return changed

    async def _move(self, report: MigrationReport, before: int) -> None:
        await super()._move(report, before)
        await self._halt("swapped")


@asynccontextmanager
async def halted(
    log: StreamClient, store: PlacementStore, target: str, at: str
) -> AsyncIterator[tuple[Halting, asyncio.Task[MigrationReport]]]:
    migration = Halting(log, store, target, at)
    task = asyncio.create_task(migration.run())
    try:
        async with asyncio.timeout(20):
            await asyncio.wait({task, asyncio.ensure_future(migration.reached.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        yield migration, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def two(nats: EmbeddedNats, store: PlacementStore, tmp_path: Path) -> AsyncIterator[tuple[Node, Node]]:
    """Nodes a and b; acme is pinned to a."""
    async with AsyncExitStack() as stack:
        nodes = []
        for name in ("node-a", "node-b"):
            node = Node(
                Settings(
                    nats_url=nats.url,
                    node_id=name,
                    storage_path=tmp_path / name,
                    grpc_address="127.0.0.1:0",
                    admin_address="127.0.0.1:0",
                )
            )
            stack.push_async_callback(node.stop)
            await node.start()
            nodes.append(node)
        a, b = nodes
        await asyncio.gather(a.wait_until_ready(), b.wait_until_ready())
        entries = {"node-a": {"grpc": a.grpc_address}, "node-b": {"grpc": b.grpc_address}}
        await store.update(lambda now: now.changed(nodes=entries, tenants={"acme": "node-a"}))
        await agreed(store, a, b)
        yield a, b


async def agreed(store: PlacementStore, *nodes: Node) -> TenantPlacementConfig:
    stored = await store.load()
    assert stored is not None
    for node in nodes:
        await eventually(lambda node=node: node._seat.watch.revision >= stored.revision)  # type: ignore[misc]
    return stored.config


async def owner(store: PlacementStore) -> str | None:
    stored = await store.load()
    assert stored is not None
    assert not stored.config.draining
    return stored.config.get_node(ACME)


async def test_a_tenant_moves_back_and_forth_under_load(two: tuple[Node, Node], log: StreamClient, store: PlacementStore) -> None:
    a, b = two
    async with Load("acme", [a.grpc_address, b.grpc_address]) as load:
        for target, source in (("node-b", "node-a"), ("node-a", "node-b"), ("node-b", "node-a")):
            await load.more()
            report = await Migration(log, store, ACME, target).run()
            assert (report.moved, report.source, report.target) == (True, source, target)
            assert report.aggregates == 4
            assert report.changed <= 4
            assert report.refused_seconds > 0
            config = await agreed(store, a, b)
            assert config.epoch == report.epoch
            await load.more()
    await load.check(a.grpc_address)
    await load.check(b.grpc_address)
    await eventually(lambda: ACME not in a._up().tenants() and ACME in b._up().tenants())
    assert a._up().draining_tenants() == b._up().draining_tenants() == []


async def test_the_new_node_is_warm_before_the_first_command(
    two: tuple[Node, Node], log: StreamClient, store: PlacementStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "PAGE", 10)
    a, b = two
    accounts = [AggregateId.new_v7() for _ in range(25)]
    async with AggregateClient(a.grpc_address, tenant_id="acme") as client:
        await asyncio.gather(*(client.submit("Account", account, OPEN) for account in accounts))
    report = await Migration(log, store, ACME, "node-b").run()
    assert (report.aggregates, report.events, report.changed) == (25, 25, 0)
    assert b._up().tenants()["acme"] == 25


@pytest.mark.parametrize("at", POINTS)
async def test_a_coordinator_may_die_at_any_step(
    two: tuple[Node, Node], log: StreamClient, store: PlacementStore, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LIFE", 5.0)
    monkeypatch.setattr(migrating, "MARGIN", 0.5)
    a, b = two
    async with Load("acme", [a.grpc_address, b.grpc_address]) as load:
        await load.more()
        async with halted(log, store, "node-b", at):
            await load.more()  # the mark, if there is one, ends by itself
            monkeypatch.setattr(migrating, "LIFE", 30.0)
            again = await Migration(log, store, ACME, "node-b").run()
            assert again.moved == (at != "swapped")
            await load.more()
    assert await owner(store) == "node-b"
    await load.check(b.grpc_address)


async def test_a_coordinator_that_wakes_up_late_changes_nothing(
    two: tuple[Node, Node], log: StreamClient, store: PlacementStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    monkeypatch.setattr(migrating, "LIFE", 5.0)
    monkeypatch.setattr(migrating, "MARGIN", 0.5)
    async with Load("acme", [a.grpc_address, b.grpc_address]) as load:
        async with halted(log, store, "node-b", "compared") as (migration, task):
            await load.more()
            migration.go.set()
            with pytest.raises((MigrationFailed, Unavailable)):
                await task
        await load.more()
    assert await owner(store) == "node-a"
    await load.check(a.grpc_address)


async def test_a_migration_that_is_given_up_lets_the_node_serve_at_once(
    two: tuple[Node, Node], log: StreamClient, store: PlacementStore
) -> None:
    a, _ = two
    async with AggregateClient(a.grpc_address, tenant_id="acme") as client:
        account = AggregateId.new_v7()
        await client.submit("Account", account, OPEN)
        async with halted(log, store, "node-b", "drained") as (_, task):
            with pytest.raises(Unavailable, match="moved away") as raised:
                await client.submit("Account", account, DEPOSIT)
            assert raised.value.retry_after
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await eventually(lambda: a._up().draining_tenants() == [])
            assert (await client.submit("Account", account, DEPOSIT)).version == 2
    assert await owner(store) == "node-a"


async def test_nodes_that_do_not_agree_keep_the_tenant_where_it_is(
    two: tuple[Node, Node], log: StreamClient, store: PlacementStore
) -> None:
    a, b = two
    account = AggregateId.new_v7()
    async with AggregateClient(a.grpc_address, tenant_id="acme") as client:
        await client.submit("Account", account, OPEN)
    key = AggregateKey(ACME, AggregateType("Account"), account)
    await b._up().warmer().warm(key)
    kept = b._up().cache.get(key)
    assert kept is not None
    b._up().cache.exchange(kept, replace(kept, state=engine.get().state(b'{"balance":1000000}')))
    with pytest.raises(MigrationFailed, match="the nodes do not agree on tenant"):
        await Migration(log, store, ACME, "node-b").run()
    assert await owner(store) == "node-a"


async def test_a_node_that_is_ready_answers_to_its_name(nats: EmbeddedNats, log: StreamClient, tmp_path: Path) -> None:
    node = Node(
        Settings(nats_url=nats.url, node_id="node-a", storage_path=tmp_path, grpc_address="127.0.0.1:0", admin_address="127.0.0.1:0")
    )
    try:
        await node.start()
        await eventually(lambda: node.health().ready, pause=0)
        assert await call_node(log.link, "node-a", WITNESS, {"subjects": []}) == {"witnesses": {}}
    finally:
        await node.stop()


async def test_what_cannot_be_is_told(two: tuple[Node, Node], log: StreamClient, store: PlacementStore) -> None:
    a, _ = two
    with pytest.raises(MigrationFailed, match="node-x is no node"):
        await Migration(log, store, ACME, "node-x").run()
    report = await Migration(log, store, ACME, "node-a").run()
    assert (report.moved, report.source) == (False, "node-a")
    async with halted(log, store, "node-b", "drained"):
        await store.update(lambda now: now.changed(nodes={**now.to_dict()["nodes"], "node-c": {"grpc": f"127.0.0.1:{free_port()}"}}))
        with pytest.raises(MigrationFailed, match="is being moved to node-b by another"):
            await Migration(log, store, ACME, "node-c").run()
    async with AggregateClient(a.grpc_address, tenant_id="acme") as client:
        await client.submit("Account", AggregateId.new_v7(), OPEN)
    with pytest.raises(Unavailable, match="node-c is not there"):
        await Migration(log, store, ACME, "node-c").run()
    assert await owner(store) == "node-a"


async def test_a_stream_of_commands_ends_where_the_tenant_went_and_goes_on_there(
    two: tuple[Node, Node], log: StreamClient, store: PlacementStore
) -> None:
    a, b = two
    account = AggregateId.new_v7()
    feed: asyncio.Queue[Command | None] = asyncio.Queue()

    async def commands() -> AsyncIterator[Command]:
        while (command := await feed.get()) is not None:
            yield command

    def command(payload: dict[str, Any]) -> Command:
        return Command(tenant_id=ACME, aggregate_type=AggregateType("Account"), aggregate_id=account, payload=Document.of(payload))

    async with AggregateClient(a.grpc_address, tenant_id="acme") as client:
        feed.put_nowait(command(OPEN))
        outcomes = aiter(client.submit_many(commands()))
        assert isinstance((await anext(outcomes))[1], Receipt)
        await Migration(log, store, ACME, "node-b").run()
        with pytest.raises(Unavailable, match="has another node now") as raised:
            await anext(outcomes)
        assert raised.value.reason == "moved"
        feed.put_nowait(None)
        ((_, receipt),) = [each async for each in client.submit_many([command(DEPOSIT)])]
        assert isinstance(receipt, Receipt)
        (event,) = receipt.events
        assert event.metadata["aggregate.epoch"] == "3", "for whoever looks back"
    assert b._up().tenants()["acme"] == 1


async def test_another_tenant_goes_on_meanwhile(two: tuple[Node, Node], log: StreamClient, store: PlacementStore) -> None:
    a, _ = two
    await store.update(lambda now: now.changed(tenants={"acme": "node-a", "globex": "node-a"}))
    await agreed(store, *two)
    async with halted(log, store, "node-b", "drained"), AggregateClient(a.grpc_address, tenant_id="globex") as client:
        assert (await client.submit("Account", AggregateId.new_v7(), OPEN)).version == 1


async def test_it_is_done_by_command_line_and_over_http(
    cli: Cli, nats: EmbeddedNats, two: tuple[Node, Node], store: PlacementStore
) -> None:
    a, _ = two
    async with AggregateClient(a.grpc_address, tenant_id="acme") as client:
        await client.submit("Account", AggregateId.new_v7(), OPEN)
    ended = await cli("placement", "migrate", "acme", "--to", "node-b", "--nats", nats.url)
    assert ended.code == 0, ended.err
    assert "moved acme from node-a to node-b: 1 aggregates, 1 events, 0 changed meanwhile; refused for " in ended.out
    assert "node-a is drained of it" in ended.err
    answer = await a.admin.post("/admin/migrate", {"tenant_id": "acme", "to": "node-a"})
    assert answer.status == 200, answer.text
    assert {"moved": True, "source": "node-b", "target": "node-a", "aggregates": 1}.items() <= answer.json().items()
    assert (await a.admin.post("/admin/migrate", {"tenant_id": "acme", "to": "node-x"})).status == 400
    ended = await cli("placement", "migrate", "acme", "--to", "node-a", "--nats", nats.url)
    assert "is on node-a already" in ended.err
    assert await owner(store) == "node-a"


@pytest.fixture
async def processes(nats: EmbeddedNats, store: PlacementStore, tmp_path: Path) -> AsyncIterator[tuple[NodeProcess, NodeProcess]]:
    """Nodes that can be killed, on fixed ports; acme is pinned to a."""
    made = [NodeProcess(name, tmp_path / name, [nats.url], {"grpc_address": f"127.0.0.1:{free_port()}"}) for name in ("node-a", "node-b")]
    a, b = made
    try:
        await asyncio.gather(*(each.start() for each in made))
        await asyncio.gather(*(each.wait_ready() for each in made))
        entries: dict[str, Any] = {each.name: {"grpc": address(each)} for each in made}
        await store.update(lambda now: now.changed(nodes=entries, tenants={"acme": "node-a"}))
        yield a, b
    finally:
        for each in made:
            if each.running:
                await each.kill()


def address(node: NodeProcess) -> str:
    return f"{node.grpc[0]}:{node.grpc[1]}"


async def migrated(log: StreamClient, store: PlacementStore, target: str) -> MigrationReport:
    """A migration, again while a node or the log does not answer."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await Migration(log, store, ACME, target).run()
            except Unavailable:
                await asyncio.sleep(0.2)


MATRIX = [(at, victim) for victim in ("source", "target") for at in POINTS]
"""All of it where AGGREGATE_LONG_TESTS is set; else what differs most."""
SHORT = [("drained", "source"), ("compared", "target")]


@pytest.mark.timeout(600)
async def test_a_node_may_be_killed_at_any_step(
    processes: tuple[NodeProcess, NodeProcess], log: StreamClient, store: PlacementStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = processes
    async with Load("acme", [address(a), address(b)], accounts=2) as load:
        for at, victim in MATRIX if os.environ.get("AGGREGATE_LONG_TESTS") else SHORT:
            source = str(await owner(store))
            target = {"node-a": "node-b", "node-b": "node-a"}[source]
            killed = {"node-a": a, "node-b": b}[source if victim == "source" else target]
            await load.more(5)
            with monkeypatch.context() as short:
                for name, seconds in (("LIFE", 10.0), ("MARGIN", 0.5), ("DRAIN", 5.0)):
                    short.setattr(migrating, name, seconds)
                async with halted(log, store, target, at) as (migration, task):
                    await killed.kill()
                    migration.go.set()
                    try:
                        report = await task
                    except (Unavailable, MigrationFailed, Refused):
                        assert await owner(store) == source
                    else:
                        assert report.moved
                        assert await owner(store) == target
            await load.more(5)  # the other node serves
            await killed.start()
            await killed.wait_ready()
            await migrated(log, store, target)
            assert await owner(store) == target
        await load.more(5)
    await load.check(address(a))
    await load.check(address(b))
