"""Plan milestone 8: the full lifecycle of a command, on a real nats-server and LMDB."""

from __future__ import annotations

import asyncio
import copy

import pytest

from aggregate.errors import TenantAccessDenied
from aggregate.handler import AggregateHandler
from aggregate.testing import Environment
from aggregate.types import AggregateId, Command, TenantId, Version

pytestmark = pytest.mark.usefixtures("environment")


def same_aggregate(command: Command, payload: object, tenant_id: str | None = None) -> Command:
    return Command.new_test(payload, tenant_id or command.tenant_id, aggregate_id=command.aggregate_id)


async def test_t8_1_full_command_lifecycle() -> None:
    handler = await AggregateHandler.new_test()
    command = Command.new_test_deposit_with_tenant("tenant-a", 100)
    events = await handler.handle_command(command)
    assert [(event.event_type, event.version) for event in events] == [("deposited", 1)]
    snapshot = await handler.storage().get_snapshot(command.tenant_id, command.aggregate_id)
    assert snapshot is not None
    assert (snapshot.version, snapshot.state.value) == (1, {"balance": 100})


async def test_t8_2_rehydration_from_persisted() -> None:
    handler = await AggregateHandler.new_test()
    first = Command.new_test_deposit_with_tenant("tenant-a", 100)
    await handler.handle_command(first)
    restarted = await AggregateHandler.new_test()
    await restarted.handle_command(same_aggregate(first, {"type": "deposit", "amount": 50}))
    snapshot = await restarted.storage().get_snapshot(first.tenant_id, first.aggregate_id)
    assert snapshot is not None
    assert snapshot.version.as_u64() >= 2
    assert snapshot.state.value == {"balance": 150}


async def test_t8_3_tenant_isolation_handler() -> None:
    handler = await AggregateHandler.new_test()
    command = Command.new_test_deposit_with_tenant("tenant-a", 100)
    await handler.handle_command(command)
    foreign = same_aggregate(command, {"type": "deposit", "amount": 50}, "tenant-b")
    with pytest.raises(TenantAccessDenied):
        await handler.handle_command(foreign)
    assert await handler.stream().fetch_events(TenantId("tenant-b"), command.aggregate_id) == []


async def test_t8_4_retry_on_conflict() -> None:
    one, two = await AggregateHandler.new_test(), await AggregateHandler.new_test()
    command = Command.new_test_deposit_with_tenant("tenant-a", 100)
    first, second = await asyncio.gather(one.handle_command(command), two.handle_command(command))
    assert first == second
    events = await one.stream().fetch_events(command.tenant_id, command.aggregate_id)
    assert [(event.version, event.command_id) for event in events] == [(1, command.command_id)]


async def test_t8_4_two_nodes_that_conflict_both_succeed() -> None:
    nodes = [await AggregateHandler.new_test(), await AggregateHandler.new_test()]
    first = Command.new_test_deposit_with_tenant("tenant-a", 1)
    commands = [first, *(same_aggregate(first, {"type": "deposit", "amount": 1}) for _ in range(9))]
    await asyncio.gather(*(nodes[index % 2].handle_command(command) for index, command in enumerate(commands)))
    events = await nodes[0].stream().fetch_events(first.tenant_id, first.aggregate_id)
    assert [event.version for event in events] == list(range(1, 11))
    assert sorted(event.command_id for event in events) == sorted(command.command_id for command in commands)


async def test_t8_5_snapshot_threshold() -> None:
    handler = await AggregateHandler.new_test_with_threshold(3)
    first = Command.new_test_deposit_with_tenant("tenant-a", 10)
    for _ in range(5):
        await handler.handle_command(same_aggregate(first, {"type": "deposit", "amount": 10}))
    snapshot = await handler.storage().get_snapshot(first.tenant_id, first.aggregate_id)
    assert snapshot is not None
    assert (snapshot.version, snapshot.state.value) == (3, {"balance": 30})


async def test_t8_6_empty_tenant_allowed() -> None:
    handler = await AggregateHandler.new_test_non_tenant()
    [event] = await handler.handle_command(Command.new_test_deposit_with_tenant("", 100))
    assert event.tenant_id.is_empty()


async def test_t8_7_handler_is_clone(environment: Environment) -> None:
    handler = await AggregateHandler.new_test()
    clone = copy.copy(handler)
    name = AggregateId.new_v7()
    await asyncio.gather(
        *(each.handle_command(Command.new_test_deposit_with_tenant("tenant-a", 5, aggregate_id=name)) for each in (handler, clone))
    )
    assert clone.stream() is handler.stream()
    assert clone.storage() is handler.storage()
    events = await clone.stream().fetch_events(TenantId("tenant-a"), name, Version.initial())
    assert [event.version for event in events] == [1, 2]
