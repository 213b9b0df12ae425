"""EventService and QueryService over a real channel."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_status import rpc_status

from aggregate.config import Settings
from aggregate.errors import NotFound, Overloaded, Unavailable, ValidationError
from aggregate.gateway import in_time
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.proto.errors import from_status
from aggregate.types import AggregateId, AggregateState, AggregateType, Document, Event, TenantId, Version
from aggregate.types.stored_events import StoredEvents

from .conftest import FakeHandler, Gateway, until

TARGET = AggregateId.new_v7()


def events(count: int) -> list[Event]:
    return [Event.new_test(aggregate_id=TARGET, version=number, position=f"0:{number}") for number in range(1, count + 1)]


async def test_events_come_in_order_however_many(gateway: Gateway, handler: FakeHandler) -> None:
    handler.events = events(1000)
    async with gateway.client() as client:
        read = await client.read_events("Account", TARGET)
        tail = await client.read_events("Account", TARGET, after_version=990, limit=3)
    assert read == handler.events
    assert [event.version for event in tail] == [991, 992, 993]


async def test_large_events_come_in_replies_that_any_client_takes(gateway: Gateway, handler: FakeHandler) -> None:
    large = {"type": "noted", "text": "x" * 300_000}
    handler.events = [Event.new_test(large, aggregate_id=TARGET, version=number) for number in range(1, 41)]
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:  # with gRPC's own limit of 4 MiB
        request = pb.ReadEventsRequest(aggregate_type="Account", aggregate_id=TARGET)
        replies = [reply async for reply in pb_grpc.EventServiceStub(channel).ReadEvents(request)]
    assert [event.version for reply in replies for event in reply.events] == [*range(1, 41)]
    assert max(reply.ByteSize() for reply in replies) < 2**20 + 1000


async def test_a_bad_id_is_refused_by_name(gateway: Gateway) -> None:
    async with gateway.client() as client:
        with pytest.raises(ValidationError) as caught:
            await client.read_events("Account", "42")
        assert caught.value.field == "aggregate_id"
        with pytest.raises(ValidationError) as caught:
            await client.get("No type", TARGET)
        assert caught.value.field == "aggregate_type"


async def test_a_state_comes_back_whole(gateway: Gateway, handler: FakeHandler) -> None:
    key = (TenantId("acme"), AggregateType("Account"), TARGET)
    handler.state = AggregateState(*key, Version(4), Document.of({"balance": 75}), "ab" * 32, "0:9")
    async with gateway.client(tenant_id="acme") as client:
        assert await client.get("Account", TARGET) == handler.state


async def test_an_unknown_aggregate_is_not_found(gateway: Gateway) -> None:
    async with gateway.client() as client:
        with pytest.raises(NotFound, match=TARGET):
            await client.get("Account", TARGET)


async def test_a_subscription_gives_what_was_stored_at_once_together(gateway: Gateway, handler: FakeHandler) -> None:
    first, second, third = events(3)
    handler.groups = [StoredEvents((first, second), "0:1"), StoredEvents((third,), "0:2")]
    async with gateway.client() as client:
        subscription = client.subscribe()
        assert [await anext(subscription), await anext(subscription)] == handler.groups
        await subscription.aclose()


async def test_a_subscription_ends_when_the_node_goes_down(gateway: Gateway, handler: FakeHandler) -> None:
    handler.groups = [StoredEvents(tuple(events(1)), "0:1")]
    async with gateway.client() as client:
        subscription = client.subscribe()
        await anext(subscription)
        stopping = asyncio.create_task(gateway.server.stop(10))
        with pytest.raises(Unavailable) as caught:
            await anext(subscription)
        await stopping
    assert caught.value.reason == "draining"


async def test_a_subscription_with_a_bad_name_is_refused(gateway: Gateway) -> None:
    async with gateway.client() as client:
        for wrong in ({"aggregate_types": ["no type!"]}, {"aggregate_ids": ["42"]}, {"aggregate_types": ["T"] * 300}):
            with pytest.raises(ValidationError):
                await anext(client.subscribe(**wrong))


async def test_a_subscriber_who_takes_nothing_is_sent_away(gateway: Gateway, handler: FakeHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_time, "SLOW", 0.1)
    large = Event.new_test({"type": "noted", "text": "x" * 300_000}, aggregate_id=TARGET)
    handler.groups = [StoredEvents((large,), f"0:{number}") for number in range(1, 1001)]
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        call = pb_grpc.EventServiceStub(channel).SubscribeEvents(pb.SubscribeEventsRequest())
        replies = aiter(call)
        assert (await anext(replies)).position == "0:1"
        await until(lambda: handler.left)  # nothing is read any more: the node lets the log go
        number = 1
        with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012 - what had been written still comes
            async for reply in replies:
                number += 1
                assert reply.position == f"0:{number}"
    assert number < 200
    error = from_status(rpc_status.from_call(caught.value))
    assert isinstance(error, Overloaded)
    assert error.reason == "slow_consumer"


class TestWithAQuota:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(grpc_address="127.0.0.1:0", quota_subscriptions=1)

    async def test_a_tenant_has_so_many_subscriptions_and_no_more(self, gateway: Gateway, handler: FakeHandler) -> None:
        handler.groups = [StoredEvents(tuple(events(1)), "0:1")]
        async with gateway.client(tenant_id="a") as mine, gateway.client(tenant_id="b") as other:
            first = mine.subscribe()
            await anext(first)
            with pytest.raises(Overloaded) as caught:
                await anext(mine.subscribe())
            assert caught.value.reason == "quota_subscriptions"
            await anext(other.subscribe())
            await first.aclose()
            while True:  # until the server has noticed that the first one ended
                try:
                    await anext(mine.subscribe())
                    break
                except Overloaded:
                    await asyncio.sleep(0.01)
