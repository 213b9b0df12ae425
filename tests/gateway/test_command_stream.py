"""SubmitCommands: many commands on one call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import pytest

from aggregate.client import _together
from aggregate.errors import AggregateError, Rejected, Unavailable, ValidationError
from aggregate.gateway.command_stream import MAX_UNDER_WAY
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.types import AggregateId, Command, Receipt

from .conftest import FakeHandler, Gateway, until


def deposit(target: str, amount: int) -> Command:
    return Command.new_test({"type": "deposit", "amount": amount}, aggregate_id=target)


async def test_each_command_gets_its_result(gateway: Gateway) -> None:
    commands = [deposit(AggregateId.new_v7(), number) for number in range(700)]
    async with gateway.client() as client:
        outcomes = dict([pair async for pair in client.submit_many(commands)])
    assert sorted(outcomes) == list(range(700))
    for index, command in enumerate(commands):
        receipt = outcomes[index]
        assert isinstance(receipt, Receipt)
        assert receipt.command_id == command.command_id


async def test_a_refused_command_has_its_status_and_the_others_go_on(gateway: Gateway, handler: FakeHandler) -> None:
    def refuse_odd(command: Command) -> None:
        if command.payload.value["amount"] % 2:
            raise Rejected("odd", "odd amounts are refused", gas_used=3)

    handler.decide = refuse_odd
    commands = [deposit(AggregateId.new_v7(), number) for number in range(10)]
    async with gateway.client() as client:
        outcomes = dict([pair async for pair in client.submit_many(commands)])
    assert [type(outcomes[index]) for index in range(10)] == [Receipt, Rejected] * 5


async def test_commands_are_handed_over_in_order_while_others_are_under_way(gateway: Gateway, handler: FakeHandler) -> None:
    released = asyncio.Event()
    handler.decide = lambda _: released.wait()
    targets = [AggregateId.new_v7(), AggregateId.new_v7()]
    commands = [deposit(target, number) for number in range(100) for target in targets]
    async with gateway.client() as client:
        reading = asyncio.create_task(collect(client.submit_many(commands)))
        await until(lambda: len(handler.seen) == len(commands))
        released.set()
        outcomes = await reading
    assert [command.command_id for command, _ in handler.seen] == [command.command_id for command in commands]
    assert [index for index, _ in outcomes] == list(range(len(commands)))


async def collect(results: AsyncIterator[tuple[int, Receipt | AggregateError]]) -> list[tuple[int, Receipt | AggregateError]]:
    return [each async for each in results]


async def test_large_results_come_in_replies_that_any_client_takes(gateway: Gateway) -> None:
    payload = json.dumps({"type": "note", "text": "x" * 300_000})
    requests = [
        pb.SubmitCommandsRequest(
            commands=[pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload=payload)]
        )
        for _ in range(40)
    ]
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:  # with gRPC's own limit of 4 MiB
        results = [result async for reply in pb_grpc.CommandServiceStub(channel).SubmitCommands(iter(requests)) for result in reply.results]
    assert sorted(result.index for result in results) == [*range(40)]
    assert {result.WhichOneof("outcome") for result in results} == {"accepted"}


@pytest.mark.parametrize("count", [0, 257])
async def test_a_message_of_a_wrong_size_ends_the_call_after_the_results_of_those_before(gateway: Gateway, count: int) -> None:
    one = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload='{"type":"deposit"}')
    messages = [pb.SubmitCommandsRequest(commands=[one]), pb.SubmitCommandsRequest(commands=[one] * count)]
    results = []
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012 - the results before the error matter
            async for reply in pb_grpc.CommandServiceStub(channel).SubmitCommands(iter(messages)):
                results += reply.results
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [result.index for result in results] == [0]


async def test_a_made_command_id_stands_in_the_result(gateway: Gateway, handler: FakeHandler) -> None:
    request = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload='{"type":"deposit"}')
    bad = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id="none", payload='{"type":"deposit"}')
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        call = pb_grpc.CommandServiceStub(channel).SubmitCommands(iter([pb.SubmitCommandsRequest(commands=[request, bad])]))
        results = {result.index: result async for reply in call for result in reply.results}
    assert results[0].command_id == handler.seen[0][0].command_id == results[0].accepted.command_id
    assert len(results[1].command_id) == 36
    assert results[1].refused.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


async def test_a_caller_without_tenant_rights_to_a_header_is_refused_at_once(gateway: Gateway) -> None:
    async with gateway.client(tenant_id="no tenant") as client:
        with pytest.raises(ValidationError, match="tenant"):
            await anext(client.submit_many([deposit(AggregateId.new_v7(), 1)]))


async def test_the_node_reads_no_further_than_it_may_have_under_way(gateway: Gateway, handler: FakeHandler) -> None:
    never = asyncio.Event()
    handler.decide = lambda _: never.wait()
    sent = 0

    async def endless() -> AsyncIterator[pb.SubmitCommandsRequest]:
        nonlocal sent
        padding = json.dumps({"type": "deposit", "note": "x" * 1000})
        while True:
            commands = [
                pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload=padding) for _ in range(64)
            ]
            yield pb.SubmitCommandsRequest(commands=commands)
            sent += 64

    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        call = pb_grpc.CommandServiceStub(channel).SubmitCommands(endless())
        await until(lambda: len(handler.seen) >= MAX_UNDER_WAY)
        before = -1
        while before != sent:  # until the sender is held up
            before = sent
            await asyncio.sleep(0.2)
        assert len(handler.seen) == MAX_UNDER_WAY
        assert sent < 20 * MAX_UNDER_WAY
        call.cancel()


async def test_a_call_that_is_broken_off_leaves_nothing_behind(gateway: Gateway, handler: FakeHandler) -> None:
    cancelled = asyncio.Event()

    async def decide(_: Command) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    handler.decide = decide
    async with gateway.client() as client:
        results = client.submit_many([deposit(AggregateId.new_v7(), 1)])
        waiting = asyncio.ensure_future(anext(results))
        await until(lambda: bool(handler.seen))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await results.aclose()
        await asyncio.wait_for(cancelled.wait(), 5)


async def test_a_stopping_server_ends_the_call_after_the_results(gateway: Gateway, handler: FakeHandler) -> None:
    commands: asyncio.Queue[Command] = asyncio.Queue()

    async def endless() -> AsyncIterator[Command]:
        while True:
            yield await commands.get()

    async with gateway.client() as client:
        results = client.submit_many(endless())
        commands.put_nowait(deposit(AggregateId.new_v7(), 1))
        assert isinstance((await anext(results))[1], Receipt)
        stopping = asyncio.create_task(gateway.server.stop(10))
        with pytest.raises(Unavailable) as caught:
            await anext(results)
        await stopping
    assert caught.value.reason == "draining"


async def test_a_client_sends_commands_together_in_their_order_and_large_ones_alone() -> None:
    sizes = [1] * 130 + [70_000, 70_000, 1, 1]
    commands = [Command.new_test({"type": "note", "text": "x" * size}) for size in sizes]
    messages = [list(together) async for together in _together(iter(commands))]
    assert [len(message) for message in messages] == [64, 64, 2, 1, 1, 2]
    assert [command for message in messages for command in message] == commands

    async def one_by_one() -> AsyncIterator[Command]:
        for command in commands[:3]:
            yield command

    assert [len(together) async for together in _together(one_by_one())] == [1, 1, 1]
    assert [together async for together in _together([])] == []
