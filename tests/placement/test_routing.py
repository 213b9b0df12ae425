"""A call for a tenant of another node: passed on, sent away or served; two or three real nodes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from aggregate.client import AggregateClient, Tls
from aggregate.config import Settings
from aggregate.errors import AggregateError, NotFound, Rejected, Unavailable, VersionConflict
from aggregate.gateway.routing import FORWARDED
from aggregate.node import Node
from aggregate.placement import TenantPlacementConfig
from aggregate.placement.store import PlacementStore
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.proto.errors import from_status
from aggregate.testing.nats import EmbeddedNats
from aggregate.testing.ports import free_port
from aggregate.types import AggregateId, Command, Receipt, TenantId
from tests.gateway.test_tls import make_certificate
from tests.stream.waiting import eventually

OPEN = {"type": "open_account", "initial_balance": 0}
DEPOSIT = {"type": "deposit", "amount": 1}
Start = Callable[..., Awaitable[Node]]


@pytest.fixture
async def start(nats: EmbeddedNats, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a node by its name; it is ready."""
    async with AsyncExitStack() as stack:

        async def starting(name: str, **more: Any) -> Node:
            folder = tmp_path / name
            given = Settings(
                nats_url=nats.url,
                storage_path=folder,
                **{"grpc_address": "127.0.0.1:0", "admin_address": "127.0.0.1:0", "node_id": name, **more},
            )
            node = Node(given)
            stack.push_async_callback(node.stop)
            await node.start()
            await node.wait_until_ready()
            return node

        yield starting


async def place(store: PlacementStore, *nodes: Node, **tenants: str) -> TenantPlacementConfig:
    """Pin tenants to nodes, and wait until every node knows."""
    entries = {node.health().node: {"grpc": node.grpc_address} for node in nodes}
    stored = await store.update(lambda now: now.changed(nodes=entries, tenants=tenants))
    for node in nodes:
        await knows(node, stored.config)
    return stored.config


async def knows(node: Node, config: TenantPlacementConfig) -> None:
    await eventually(lambda: node._seat.watch.config.epoch >= config.epoch)


class Caller:
    """Calls as they are, with their metadata."""

    def __init__(self, channel: grpc.aio.Channel, tenant: str, *metadata: tuple[str, str]) -> None:
        self.commands = pb_grpc.CommandServiceStub(channel)  # type: ignore[no-untyped-call]
        self.queries = pb_grpc.QueryServiceStub(channel)  # type: ignore[no-untyped-call]
        self.metadata = (("x-tenant-id", tenant), *metadata)

    async def submit(self, account: str, payload: str = '{"type":"open_account","initial_balance":5}', **more: Any) -> tuple[Any, Any, Any]:
        """(reply or error, initial metadata, trailing metadata)."""
        request = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=account, payload=payload, **more)
        call = self.commands.SubmitCommand(request, metadata=self.metadata, timeout=10)
        try:
            reply = await call
        except grpc.aio.AioRpcError as error:
            return error, dict(error.initial_metadata()), dict(error.trailing_metadata())
        return reply, dict(await call.initial_metadata()), dict(await call.trailing_metadata())


def told(error: Any) -> AggregateError:
    from grpc_status import rpc_status

    found = from_status(rpc_status.from_call(error))  # type: ignore[arg-type]
    assert found is not None
    return found


async def test_a_call_is_passed_on_and_its_answer_is_that_of_the_owner(start: Start, store: PlacementStore) -> None:
    a, b = await start("node-a"), await start("node-b")
    await place(store, a, b, acme="node-a")
    account = AggregateId.new_v7()
    async with grpc.aio.insecure_channel(b.grpc_address) as channel:
        caller = Caller(channel, "acme", ("x-correlation-id", "order-7"))
        reply, initial, trailing = await caller.submit(account)
        assert reply.version == 1
        assert initial["x-command-id"] == reply.command_id, "the id that the owner made, before it decided"
        assert (trailing["x-aggregate-node"], trailing["x-aggregate-served-by"]) == ("node-a", "node-a")
        assert reply.events[0].metadata["correlation_id"] == "order-7"
    assert (a.health().active_aggregates, b.health().active_aggregates) == (1, 0)
    async with AggregateClient(b.grpc_address, tenant_id="acme") as client:
        await client.submit("Account", account, DEPOSIT)
        assert (await client.get("Account", account)).version == 2
        assert [event.version for event in await client.read_events("Account", account)] == [1, 2]
        outcomes = [each async for each in client.submit_many(Command.new_test_deposit_with_tenant("acme", 1) for _ in range(20))]
        assert len(outcomes) == 20
        followed = aiter(client.subscribe(aggregate_ids=[account]))
        assert (await anext(followed)).events[0].version == 1
        await followed.aclose()  # type: ignore[attr-defined]
    assert b.health().active_aggregates == 0


async def test_errors_pass_through_unchanged(start: Start, store: PlacementStore) -> None:
    a, b = await start("node-a"), await start("node-b")
    await place(store, a, b, acme="node-a")
    account = AggregateId.new_v7()
    async with (
        AggregateClient(a.grpc_address, tenant_id="acme") as direct,
        AggregateClient(b.grpc_address, tenant_id="acme") as indirect,
    ):
        await direct.submit("Account", account, OPEN)
        for kind, call in [
            (Rejected, lambda client: client.submit("Account", account, {"type": "withdraw", "amount": 99})),
            (VersionConflict, lambda client: client.submit("Account", account, DEPOSIT, expected_version=7)),
            (NotFound, lambda client: client.get("Account", "0190b3f0-7c1e-7cc3-a5a0-0123456789ab")),
            (NotFound, lambda client: client.read_events("Account", "0190b3f0-7c1e-7cc3-a5a0-0123456789ab")),
        ]:
            errors = []
            for client in (direct, indirect):
                with pytest.raises(kind) as raised:
                    await call(client)
                errors.append((str(raised.value), raised.value.details, raised.value.reason))
            assert errors[0] == errors[1]


async def test_the_deadline_goes_with_the_call(start: Start, store: PlacementStore, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = await start("node-a"), await start("node-b")
    await place(store, a, b, acme="node-a")
    seen: list[float | None] = []
    calls = a._gateway._calls
    deadline = type(calls).deadline
    monkeypatch.setattr(
        type(calls), "deadline", lambda self, context=None: seen.append(context.time_remaining()) or deadline(self, context)
    )
    async with AggregateClient(b.grpc_address, tenant_id="acme", timeout=7) as client:
        await client.submit("Account", AggregateId.new_v7(), OPEN)
    (remaining,) = seen
    assert remaining is not None
    assert 0 < remaining < 8, "the caller's, and not a time of the node's own"


async def test_a_redirect_names_the_node_and_serves_nothing(start: Start, store: PlacementStore) -> None:
    a, b = await start("node-a"), await start("node-b", routing="redirect")
    await place(store, a, b, acme="node-a")
    account = AggregateId.new_v7()
    async with grpc.aio.insecure_channel(b.grpc_address) as channel:
        error, _, trailing = await Caller(channel, "acme").submit(account)
        assert trailing["x-aggregate-node"] == "node-a"
        refused = told(error)
        assert isinstance(refused, Unavailable)
        assert refused.reason == "not_owner"
        assert a.grpc_address in str(refused)
        reply, _, trailing = await Caller(channel, "").submit(AggregateId.new_v7())
        owner = trailing["x-aggregate-node"]
        assert (owner == "node-b") == isinstance(reply, pb.SubmitCommandReply)
    async with AggregateClient(b.grpc_address, tenant_id="acme") as client:
        for call in (client.get("Account", account), client.read_events("Account", account), anext(aiter(client.subscribe()))):
            with pytest.raises(Unavailable, match="is served by node-a"):
                await call
    assert (a.health().active_aggregates, b.health().in_flight) == (0, 0)


async def test_a_node_may_serve_everybody_and_tells_whose_they_are(start: Start, store: PlacementStore) -> None:
    a, b = await start("node-a"), await start("node-b", routing="serve")
    await place(store, a, b, acme="node-a")
    async with grpc.aio.insecure_channel(b.grpc_address) as channel:
        reply, _, trailing = await Caller(channel, "acme").submit(AggregateId.new_v7())
        assert reply.version == 1
        assert (trailing["x-aggregate-node"], trailing["x-aggregate-served-by"]) == ("node-a", "node-b")
        error, _, trailing = await Caller(channel, "acme").submit("no uuid")
        assert trailing["x-aggregate-node"] == "node-a", "with an error too"
        assert told(error).status == "INVALID_ARGUMENT"


async def test_a_call_that_was_passed_on_is_not_passed_on_again(start: Start, store: PlacementStore) -> None:
    a, b = await start("node-a"), await start("node-b")
    await place(store, a, b, acme="node-a")
    async with grpc.aio.insecure_channel(b.grpc_address) as channel:
        error, _, trailing = await Caller(channel, "acme", (FORWARDED, "node-x")).submit(AggregateId.new_v7())
        assert told(error).reason == "not_owner"
        assert trailing["x-aggregate-node"] == "node-a"
    assert a.health().active_aggregates == 0


async def test_two_nodes_that_disagree_do_not_send_a_call_round(start: Start, store: PlacementStore) -> None:
    """Each believes that the other has the tenant."""
    a, b = await start("node-a"), await start("node-b")
    config = await place(store, a, b, acme="node-a")
    other = config.changed(tenants={"acme": "node-b"})
    for node in (a, b):
        node._seat._tasks[0].cancel()
    a._seat.watch._use(other, a._seat.watch.revision, "bucket")
    async with AggregateClient(b.grpc_address, tenant_id="acme") as client:
        with pytest.raises(Unavailable) as raised:
            await client.submit("Account", AggregateId.new_v7(), OPEN)
    assert raised.value.reason == "not_owner"


async def test_a_node_that_is_behind_asks_again_before_it_gives_up(start: Start, store: PlacementStore) -> None:
    """The tenant moved from a to c, and b has not heard of it."""
    a, b, c = await start("node-a"), await start("node-b"), await start("node-c")
    await place(store, a, b, c, acme="node-a")
    b._seat._tasks[0].cancel()
    stored = await store.update(lambda now: now.changed(tenants={"acme": "node-c"}))
    await asyncio.gather(knows(a, stored.config), knows(c, stored.config))
    async with grpc.aio.insecure_channel(b.grpc_address) as channel:
        reply, _, trailing = await Caller(channel, "acme").submit(AggregateId.new_v7())
        assert reply.version == 1
        assert trailing["x-aggregate-served-by"] == "node-c"


async def test_the_owner_that_is_behind_asks_before_it_refuses(start: Start, store: PlacementStore) -> None:
    """The tenant moved from a to c; b knows, c does not yet."""
    a, b, c = await start("node-a"), await start("node-b"), await start("node-c")
    await place(store, a, b, c, acme="node-a")
    c._seat._tasks[0].cancel()
    stored = await store.update(lambda now: now.changed(tenants={"acme": "node-c"}))
    await knows(b, stored.config)
    async with grpc.aio.insecure_channel(b.grpc_address) as channel:
        reply, _, trailing = await Caller(channel, "acme").submit(AggregateId.new_v7())
        assert reply.version == 1
        assert trailing["x-aggregate-served-by"] == "node-c"


async def test_where_the_owner_is_away_another_node_serves(start: Start, store: PlacementStore) -> None:
    a, b = await start("node-a"), await start("node-b")
    await place(store, a, b, acme="node-a")
    account = AggregateId.new_v7()
    async with AggregateClient(b.grpc_address, tenant_id="acme") as client:
        await client.submit("Account", account, OPEN)
        await a.stop()
        receipt = await until_served(client, account)
        assert receipt.version == 2
        outcomes = [each async for each in client.submit_many(Command.new_test_deposit_with_tenant("acme", 1) for _ in range(3))]
        assert [type(outcome) for _, outcome in outcomes] == [Rejected] * 3, "decided here: those accounts are not open"
        assert len(await client.read_events("Account", account)) == 2
    assert b.health().active_aggregates > 0


async def test_an_owner_that_never_came_costs_a_moment_and_nothing_else(start: Start, store: PlacementStore) -> None:
    b = await start("node-b")
    entries = {"node-a": {"grpc": f"127.0.0.1:{free_port()}"}, "node-b": {"grpc": b.grpc_address}}
    stored = await store.update(lambda now: now.changed(nodes=entries, tenants={"acme": "node-a"}))
    await knows(b, stored.config)
    async with AggregateClient(b.grpc_address, tenant_id="acme") as client:
        assert (await client.submit("Account", AggregateId.new_v7(), OPEN)).version == 1


async def test_a_document_without_addresses_lets_every_node_serve(start: Start, store: PlacementStore) -> None:
    b = await start("node-b")
    stored = await store.update(lambda now: now.changed(tenants={"acme": "node-a"}))
    await knows(b, stored.config)
    async with grpc.aio.insecure_channel(b.grpc_address) as channel:
        reply, _, trailing = await Caller(channel, "acme").submit(AggregateId.new_v7())
        assert reply.version == 1
        assert (trailing["x-aggregate-node"], trailing["x-aggregate-served-by"]) == ("node-a", "node-b")


async def test_strangers_calls_are_not_passed_on(start: Start, store: PlacementStore) -> None:
    a, b = await start("node-a"), await start("node-b")
    await place(store, a, b, acme="node-a")
    async with grpc.aio.insecure_channel(b.grpc_address) as channel:
        error, _, _ = await Caller(channel, "acme", ("x-correlation-id", "two words")).submit(AggregateId.new_v7())
        assert told(error).status == "INVALID_ARGUMENT"
        error, _, _ = await Caller(channel, "not a tenant").submit(AggregateId.new_v7())
        assert told(error).details["field"] == "x-tenant-id"


async def test_a_node_that_missed_a_change_hears_of_it_from_the_commits_of_others(
    start: Start, store: PlacementStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(self: PlacementStore, changed: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        return lambda: asyncio.sleep(0)

    monkeypatch.setattr(PlacementStore, "watch", deaf)
    a, b = await start("node-a"), await start("node-b")
    entries = {"node-a": {"grpc": a.grpc_address}, "node-b": {"grpc": b.grpc_address}}
    account = AggregateId.new_v7()
    async with AggregateClient(a.grpc_address, tenant_id="acme") as of_a, AggregateClient(b.grpc_address, tenant_id="acme") as of_b:
        await store.update(lambda now: now.changed(nodes=entries, tenants={"acme": "node-b"}))
        await asyncio.gather(a._seat.watch.reload(), b._seat.watch.reload())
        await of_b.submit("Account", account, OPEN)
        await store.update(lambda now: now.changed(tenants={"acme": "node-a"}))
        await a._seat.watch.reload()
        await of_a.submit("Account", account, {"type": "deposit", "amount": 1, "aggregate.epoch": "999"})
        assert b._seat.watch.config.epoch == 1
        assert (await of_b.submit("Account", account, DEPOSIT)).version == 3, "b takes it for its own, and finds a's commit before it"
        await eventually(lambda: b._seat.watch.config.epoch == 2)
        assert b._seat.ownership._heard == 2, "what a payload says is no epoch"


async def test_ready_and_admin_tell_of_the_placement(start: Start, store: PlacementStore) -> None:
    a = await start("node-a")
    checks = (await a.admin.get("/ready")).json()["checks"]
    assert checks["placement"] == {"name": "placement", "ok": True, "detail": "no tenant is placed: every one is served here"}
    config = await place(store, a, acme="node-a")
    checks = (await a.admin.get("/ready")).json()["checks"]
    assert checks["placement"]["detail"] == "epoch 1 of the bucket"
    shown = (await a.admin.get("/admin/placement")).json()
    assert (shown["node"], shown["epoch"], shown["source"]) == ("node-a", 1, "bucket")
    assert TenantPlacementConfig.from_values(shown["document"]) == config
    assert '"acme" aggregate_node_node-a;' in (await a.admin.get("/admin/routes/nginx")).text
    assert "aggregate_node_node-a" in (await a.admin.get("/admin/routes/traefik")).json()["http"]["services"]
    assert [each["tenant_id"] for each in (await a.admin.get("/admin/tenants")).json()] == [TenantId("acme")]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with the program of package openssl")
@pytest.mark.parametrize("mutual", [False, True], ids=["server", "both"])
async def test_nodes_speak_tls_to_each_other_where_they_serve_it(start: Start, store: PlacementStore, tmp_path: Path, mutual: bool) -> None:
    made = make_certificate(tmp_path / "tls")
    files: dict[str, Any] = {"tls_cert": made.cert, "tls_key": made.key, "peer_tls_ca": made.cert}
    if mutual:
        files["tls_client_ca"] = made.cert
    a, b = await start("node-a", **files), await start("node-b", **files)
    await place(store, a, b, acme="node-a")
    own = Tls(made.cert, made.cert, made.key) if mutual else Tls(made.cert)
    async with AggregateClient(b.grpc_address, tenant_id="acme", tls=own) as client:
        assert (await client.submit("Account", AggregateId.new_v7(), OPEN)).version == 1
    assert (a.health().active_aggregates, b.health().active_aggregates) == (1, 0)


async def until_served(client: AggregateClient, account: AggregateId) -> Receipt:
    """A deposit, again under its id while it is refused as not available."""
    command = Command.new_test_deposit_with_tenant("acme", 1)
    async with asyncio.timeout(20):
        while True:
            try:
                return await client.submit("Account", account, DEPOSIT, command_id=command.command_id)
            except Unavailable:
                await asyncio.sleep(0.05)
