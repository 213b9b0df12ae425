"""The gateway in front of the real handler and the bank, the log and the store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import aggregate.engine
from aggregate.client import AggregateClient
from aggregate.config import AggregateManifest, Settings
from aggregate.errors import CommandIdReused, NotFound, Rejected, TenantAccessDenied, ValidationError, VersionConflict
from aggregate.gateway.health import HealthStatus
from aggregate.gateway.interface import Backend
from aggregate.gateway.server import CommandServer
from aggregate.handler import AggregateHandler
from aggregate.runtime import RuntimeExecutor
from aggregate.testing.memory_storage import MemoryStorage
from aggregate.testing.memory_stream import MemoryStream
from aggregate.types import AggregateId, Command, Receipt, new_uuid7

OPEN = {"type": "open_account", "initial_balance": 0}


def deposit(amount: object) -> dict[str, object]:
    return {"type": "deposit", "amount": amount}


@pytest.fixture
async def address() -> AsyncIterator[str]:
    engine = aggregate.engine.get()
    stream = MemoryStream()
    programs = RuntimeExecutor(engine).load(AggregateManifest.bank())
    numbers = {each.type: await stream.register_program(each.type, each.digest, each.language, each.source) for each in programs}
    settings = Settings(grpc_address="127.0.0.1:0")
    handler = AggregateHandler(settings, programs.with_generations(numbers), MemoryStorage(), stream)
    server = CommandServer(Backend(lambda: handler, lambda: stream, engine.canonical), settings, lambda: HealthStatus(True, True))
    await server.start()
    yield server.address
    await server.stop(0)


async def test_the_bank_from_opening_to_refusal(address: str) -> None:
    account = AggregateId.new_v7()
    async with AggregateClient(address, tenant_id="acme", headers={"x-correlation-id": "corr-1"}) as client:
        for number, command in enumerate((OPEN, deposit(100), deposit(50), {"type": "withdraw", "amount": 75}), 1):
            assert (await client.submit("Account", account, command)).version == number
        with pytest.raises(Rejected) as caught:
            await client.submit("Account", account, {"type": "withdraw", "amount": 1000})
        assert caught.value.reason == "insufficient_funds"
        state = await client.get("Account", account)
        assert (state.version, state.state.value["balance"]) == (4, 75)
        events = await client.read_events("Account", account)
    assert [event.version for event in events] == [1, 2, 3, 4]
    assert {event.metadata["correlation_id"] for event in events} == {"corr-1"}
    assert {event.tenant_id for event in events} == {"acme"}


async def test_the_same_command_twice_is_one_event_and_another_payload_is_refused(address: str) -> None:
    account, command_id = AggregateId.new_v7(), new_uuid7()
    async with AggregateClient(address) as client:
        first = await client.submit("Account", account, OPEN, command_id=command_id)
        again = await client.submit("Account", account, OPEN, command_id=command_id)
        assert (first.duplicate, again.duplicate) == (False, True)
        assert again.events == first.events
        with pytest.raises(CommandIdReused):
            await client.submit("Account", account, {**OPEN, "initial_balance": 9}, command_id=command_id)
        assert (await client.get("Account", account)).version == 1


@pytest.mark.parametrize(
    ("kind", "target", "payload", "field"),
    [
        ("Nothing", None, '{"type":"deposit","amount":1}', "aggregate_type"),
        ("Account", "42", '{"type":"deposit","amount":1}', "aggregate_id"),
        ("Account", None, "not json", "payload"),
        ("Account", None, '{"invalid": true}', "payload"),
        ("Account", None, '{"type":"deposit","amount":1e99999}', "payload"),
        ("Account", None, '{"type":"deposit","amount":' + "9" * 10_000 + "}", "payload"),
        ("Account", None, '{"type":"deposit","a":' * 2000 + "1" + "}" * 2000, "payload"),
    ],
)
async def test_wrong_input_names_its_field(address: str, kind: str, target: str | None, payload: str, field: str) -> None:
    async with AggregateClient(address) as client:
        with pytest.raises(ValidationError) as caught:
            await client.submit(kind, target or AggregateId.new_v7(), payload)
    assert caught.value.field == field


async def test_another_tenant_has_no_access_and_leaves_no_trace(address: str) -> None:
    account = AggregateId.new_v7()
    async with AggregateClient(address, tenant_id="a") as mine, AggregateClient(address, tenant_id="b") as other:
        await mine.submit("Account", account, OPEN)
        with pytest.raises(TenantAccessDenied):
            await other.submit("Account", account, deposit(5))
        for read in (other.get, other.read_events):
            with pytest.raises(TenantAccessDenied):
                await read("Account", account)
        assert len(await mine.read_events("Account", account)) == 1


async def test_reads_of_nothing_find_nothing(address: str) -> None:
    async with AggregateClient(address) as client:
        with pytest.raises(NotFound):
            await client.get("Account", AggregateId.new_v7())
        with pytest.raises(NotFound):
            await client.read_events("Account", AggregateId.new_v7())


async def test_an_expected_version_is_held_to(address: str) -> None:
    account = AggregateId.new_v7()
    async with AggregateClient(address) as client:
        await client.submit("Account", account, OPEN, expected_version=0)
        with pytest.raises(VersionConflict) as caught:
            await client.submit("Account", account, deposit(1), expected_version=3)
    assert (caught.value.expected, caught.value.actual) == (3, 1)


async def test_a_stream_of_commands_of_one_aggregate_is_decided_in_its_order(address: str) -> None:
    account = AggregateId.new_v7()
    amounts = [*range(1, 201)]
    commands = [Command.new_test(OPEN, "", aggregate_id=account)]
    commands += [Command.new_test(deposit(amount), "", aggregate_id=account) for amount in amounts]
    async with AggregateClient(address) as client:
        outcomes = [outcome async for _, outcome in client.submit_many(commands)]
        events = await client.read_events("Account", account)
    assert [outcome.version for outcome in outcomes if isinstance(outcome, Receipt)] == [*range(1, 202)]
    assert [event.payload.value["amount"] for event in events[1:]] == amounts


async def test_a_subscription_gives_the_past_then_the_present_and_goes_on_from_a_position(address: str) -> None:
    accounts = [AggregateId.new_v7() for _ in range(3)]
    async with AggregateClient(address, tenant_id="a") as client, AggregateClient(address, tenant_id="b") as other:
        await client.submit("Account", accounts[0], OPEN)
        await other.submit("Account", accounts[1], OPEN)
        subscription = client.subscribe(aggregate_types=["Account"])
        past = await anext(subscription)
        coming = asyncio.ensure_future(anext(subscription))
        await client.submit("Account", accounts[2], OPEN)
        present = await coming
        await subscription.aclose()
        assert [group.events[0].aggregate_id for group in (past, present)] == [accounts[0], accounts[2]]
        resumed = client.subscribe(after_position=past.position)
        assert await anext(resumed) == present
        await resumed.aclose()
        with pytest.raises(ValidationError) as caught:
            await anext(client.subscribe(after_position="yesterday"))
    assert caught.value.field == "after_position"


async def test_a_state_of_the_past_is_asked_for_by_version_or_time(address: str) -> None:
    account = AggregateId.new_v7()
    async with AggregateClient(address, tenant_id="acme") as client:
        opened = await client.submit("Account", account, OPEN)
        await client.submit("Account", account, deposit(5))
        past = await client.get("Account", account, at_version=1)
        assert (past.version, past.state.value["balance"], past.position) == (1, 0, opened.position)
        assert (await client.get("Account", account, at_time="2999-01-01T00:00:00Z")).version == 2
        with pytest.raises(NotFound):
            await client.get("Account", account, at_version=0)
        for asked, field in (
            ({"at_version": 3}, "at_version"),
            ({"at_time": "soon"}, "at_time"),
            ({"at_version": 2**64 - 1}, "at_version"),
        ):
            with pytest.raises(ValidationError) as caught:
                await client.get("Account", account, **asked)
            assert caught.value.field == field
