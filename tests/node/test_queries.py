"""A node that answers queries: beside commands, alone, and not at all."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from aggregate.client import AggregateClient
from aggregate.config import Settings
from aggregate.errors import ConfigError, Unavailable
from aggregate.node import Node
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateId
from tests.node.test_node import OPEN, settings, started
from tests.stream.waiting import eventually


async def ask(node: Node, request: pb.QueryRequest, tenant: str) -> pb.QueryReply:
    """A query over gRPC."""
    async with grpc.aio.insecure_channel(node.grpc_address) as channel:
        stub = pb_grpc.QueryServiceStub(channel)  # type: ignore[no-untyped-call] # generated code
        reply: pb.QueryReply = await stub.Query(request, metadata=(("x-tenant-id", tenant),), timeout=20)
        return reply


async def test_a_node_answers_queries_of_what_it_decided(tmp_path: Path) -> None:
    async with EmbeddedNats() as nats, started(settings(tmp_path, nats.url)) as node:
        await node.wait_until_ready()
        async with AggregateClient(node.grpc_address, tenant_id="acme") as client:
            receipt = await client.submit("Account", AggregateId.new_v7(), {**OPEN, "initial_balance": 70})
        request = pb.QueryRequest(filter="balance > 50", order_by=["-balance"], min_position=receipt.position, explain=True)
        reply = await ask(node, request, "acme")
        assert [row.state for row in reply.rows] == ['{"balance":70,"owner":null}']
        assert not (await ask(node, request, "other")).rows
        checks = {check.name: check for check in node.health().checks}
        assert checks["projection"].ok
        assert "following the log" in checks["projection"].detail
        exported = (await node.admin.get("/metrics")).text
        assert 'aggregate_consumer_sequence{consumer="projection"}' in exported


async def test_a_node_of_role_query_answers_queries_alone(tmp_path: Path) -> None:
    async with EmbeddedNats() as nats, started(settings(tmp_path / "a", nats.url, projection=False)) as writer:
        await writer.wait_until_ready()
        async with AggregateClient(writer.grpc_address, tenant_id="acme") as client:
            receipt = await client.submit("Account", AggregateId.new_v7(), OPEN)
        with pytest.raises(grpc.aio.AioRpcError, match="answers no queries"):
            await ask(writer, pb.QueryRequest(), "acme")
        async with started(settings(tmp_path / "b", nats.url, role="query")) as reader:
            await reader.wait_until_ready()
            assert len((await ask(reader, pb.QueryRequest(min_position=receipt.position), "acme")).rows) == 1
            await eventually(lambda: reader.health().ready)
            async with AggregateClient(reader.grpc_address, tenant_id="acme") as client:
                with pytest.raises(Unavailable, match="queries alone"):
                    await client.submit("Account", AggregateId.new_v7(), OPEN)


async def test_a_restarted_node_goes_on_from_its_projection(tmp_path: Path) -> None:
    async with EmbeddedNats() as nats:
        async with started(settings(tmp_path, nats.url)) as node:
            await node.wait_until_ready()
            async with AggregateClient(node.grpc_address, tenant_id="acme") as client:
                receipt = await client.submit("Account", AggregateId.new_v7(), OPEN)
            await ask(node, pb.QueryRequest(min_position=receipt.position), "acme")
        async with started(settings(tmp_path, nats.url)) as node:
            await node.wait_until_ready()
            assert len((await ask(node, pb.QueryRequest(min_position=receipt.position), "acme")).rows) == 1


def test_a_role_without_anything_to_answer_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="nothing to answer"):
        Node(Settings(nats_url="nats://127.0.0.1:1", role="query", projection=False))
