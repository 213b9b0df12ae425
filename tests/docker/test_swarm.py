"""The stack on a Swarm of one machine: three NATS servers, two nodes of two ranges, and the gateway that leads each tenant to its own."""

from __future__ import annotations

import asyncio
import json

import grpc
import pytest

from aggregate.client import AggregateClient
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.types import AggregateId

from .engine import need_engine
from .platform import Platform
from .waiting import until

pytestmark = [pytest.mark.container, pytest.mark.timeout(1800)]
NODE_OF = {"acme": "aggregate-a-m", "mellon": "aggregate-a-m", "nadir": "aggregate-n-z", "zenith": "aggregate-n-z"}
OPEN = json.dumps({"type": "open_account", "initial_balance": 5})


async def serving_node(address: str, tenant: str) -> str:
    """Open an account of the tenant; the node that did it, as it says itself."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = pb_grpc.CommandServiceStub(channel)
        request = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload=OPEN)
        call = stub.SubmitCommand(request, metadata=(("x-tenant-id", tenant),), timeout=10, wait_for_ready=True)
        assert (await call).version == 1
        return str(dict(await call.trailing_metadata())["x-aggregate-node"])


async def test_a_client_of_the_gateway_reaches_the_node_of_each_tenant() -> None:
    need_engine()
    async with Platform() as platform:
        await until(platform.has_routes)
        assert {tenant: await serving_node(platform.address, tenant) for tenant in NODE_OF} == NODE_OF
        told = json.loads(await asyncio.to_thread(platform.on, "aggregate-a-m", "healthcheck"))
        assert told["healthy"], told
        assert told["durability"] == "an acknowledged command stands on at least 2 of 3 replicas, written through to the disk"
        async with AggregateClient(platform.address, tenant_id="zoe") as client:
            account = AggregateId.new_v7()
            await client.submit("Account", account, json.loads(OPEN))
            platform.roll("aggregate-n-z")
            version, state = 1, ""
            while not state:
                version += 1
                await client.submit("Account", account, {"type": "deposit", "amount": 1}, timeout=10)
                state = await asyncio.to_thread(platform.updated, "aggregate-n-z")
            assert state == "completed"
            assert (await client.get("Account", account)).version == version
