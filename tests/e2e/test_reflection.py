"""A client that knows the node's address and nothing else: it learns from reflection what there is, and uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import grpc
import pytest

from aggregate.types import AggregateId

from .contract import Contract, answers
from .nodes import NodeProcess, node_process

HEADERS = (("x-tenant-id", "acme"), ("x-correlation-id", "corr-1"))


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with node_process(tmp_path_factory.mktemp("reflection")) as running:
        yield running


async def test_what_reflection_tells_is_enough_to_work_with_the_node(node: NodeProcess) -> None:
    async with grpc.aio.insecure_channel(node.address) as channel:
        contract = await Contract.of_reflection(channel)
        assert contract.methods() == Contract.of_proto().methods()
        account = AggregateId.new_v7()
        where = {"aggregate_type": "Account", "aggregate_id": account}

        commands = [
            {"type": "open_account", "initial_balance": 100},
            {"type": "withdraw", "amount": 25},
            {"type": "withdraw", "amount": 1000},
        ]
        requests = [contract.message("SubmitCommandRequest", payload=json.dumps(each), **where) for each in commands]
        first = await contract.call(channel, "CommandService.SubmitCommand")(requests[0], metadata=HEADERS)
        assert (first.version, [event.event_type for event in first.events]) == (1, ["account_opened"])

        many = contract.call(channel, "CommandService.SubmitCommands")
        message = contract.message("SubmitCommandsRequest", commands=requests[1:])
        results = [result for reply in await answers(many(iter([message]), metadata=HEADERS)) for result in reply.results]
        assert [result.WhichOneof("outcome") for result in sorted(results, key=lambda result: result.index)] == ["accepted", "refused"]

        state = await contract.call(channel, "QueryService.Get")(contract.message("GetRequest", **where), metadata=HEADERS)
        assert (state.version, json.loads(state.state)["balance"]) == (2, 75)

        read = contract.call(channel, "EventService.ReadEvents")(contract.message("ReadEventsRequest", **where), metadata=HEADERS)
        events = [event for reply in await answers(read) for event in reply.events]
        assert [(event.version, event.metadata["correlation_id"]) for event in events] == [(1, "corr-1"), (2, "corr-1")]

        followed = contract.call(channel, "EventService.SubscribeEvents")(contract.message("SubscribeEventsRequest"), metadata=HEADERS)
        seen = [event.event_id for event in (await anext(aiter(followed))).events]
        assert seen == [events[0].event_id]
        followed.cancel()
