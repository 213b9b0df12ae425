"""The way of a command on one node: answers, refusals, duplicates, what is written."""

from __future__ import annotations

import time

import pytest

from aggregate.errors import (
    ApplyError,
    CommandIdReused,
    DeadlineExceeded,
    DecideError,
    NotFound,
    Overloaded,
    Rejected,
    TenantAccessDenied,
    Unavailable,
    ValidationError,
    VersionConflict,
)
from aggregate.types import AggregateKey, Command, Version
from tests.handler.conftest import World, account, deposit, on


async def test_an_accepted_command_is_one_message_and_its_receipt_says_so(world: World) -> None:
    node = await world.node()
    command = deposit(25, metadata={"correlation_id": "c-1"})
    receipt = await node.submit(command)
    assert (receipt.version, receipt.duplicate, receipt.command_id) == (1, False, command.command_id)
    assert receipt.gas_used > 0
    [event] = receipt.events
    assert (event.event_type, event.payload.value, event.version) == ("deposited", {"type": "deposited", "amount": 25}, 1)
    assert (event.command_id, event.metadata, event.position) == (command.command_id, {"correlation_id": "c-1"}, receipt.position)
    [commit] = await world.commits(command)
    assert (commit.command_id, commit.first_version, commit.gas) == (command.command_id, 1, receipt.gas_used)
    assert commit.command == command.payload.text


async def test_a_warm_command_asks_the_log_once(world: World) -> None:
    node = await world.node()
    command = deposit()
    await node.submit(command)
    before = world.stream.requests
    await node.submit(on(command, {"type": "deposit", "amount": 1}))
    assert world.stream.requests == before + 1


async def test_an_acceptance_without_events_is_a_commit_of_its_own(world: World) -> None:
    node = await world.node()
    command = Command.new_test({"type": "touch"})
    first = await node.submit(command)
    again = await node.submit(command)
    assert (first.events, first.version, first.duplicate) == ((), 0, False)
    assert (again.events, again.version, again.duplicate) == ((), 0, True)
    assert len(await world.commits(command)) == 1


async def test_the_same_command_twice_is_done_once(world: World) -> None:
    node = await world.node()
    command = deposit(7)
    first = await node.submit(command)
    again = await node.submit(command)
    assert again.duplicate
    assert again.events == first.events
    assert again.version == first.version
    assert len(await world.commits(command)) == 1


async def test_a_duplicate_is_found_before_its_expected_version_is_looked_at(world: World) -> None:
    node = await world.node()
    command = deposit(7, expected_version=0)
    first = await node.submit(command)
    assert (await node.submit(command)).events == first.events


async def test_the_same_id_with_another_payload_is_refused(world: World) -> None:
    node = await world.node()
    command = deposit(7)
    await node.submit(command)
    with pytest.raises(CommandIdReused) as caught:
        await node.submit(on(command, {"type": "deposit", "amount": 8}, command_id=command.command_id))
    assert command.command_id in str(caught.value)
    assert len(await world.commits(command)) == 1


async def test_a_duplicate_is_found_by_another_node_and_after_a_restart(world: World) -> None:
    command = deposit(7)
    first = await (await world.node()).submit(command)
    again = await (await world.node()).submit(command)
    assert again.duplicate
    assert again.events == first.events


async def test_a_rejection_names_the_programs_code_and_stores_no_event(world: World) -> None:
    node = await world.node()
    command = deposit(10)
    await node.submit(command)
    withdraw = on(command, {"type": "withdraw", "amount": 1000})
    with pytest.raises(Rejected) as caught:
        await node.submit(withdraw)
    assert (caught.value.reason, caught.value.status) == ("insufficient_funds", "FAILED_PRECONDITION")
    assert caught.value.rejection_details == b'{"balance":10}'
    assert (await node.get(command.tenant_id, command.aggregate_type, command.aggregate_id)).version == 1
    commits = await world.commits(command)
    assert [len(commit.events) for commit in commits] == [1, 0]
    assert commits[1].refused is not None


async def test_a_refused_command_sent_again_gets_the_same_refusal_while_its_fence_stands(world: World) -> None:
    node = await world.node()
    command = deposit(10)
    await node.submit(command)
    withdraw = on(command, {"type": "withdraw", "amount": 100})
    with pytest.raises(Rejected) as first:
        await node.submit(withdraw)
    await node.submit(on(command, {"type": "deposit", "amount": 500}))
    with pytest.raises(Rejected) as again:
        await node.submit(withdraw)
    assert str(again.value) == str(first.value)
    assert again.value.rejection_details == first.value.rejection_details


async def test_an_expired_refusal_is_decided_anew() -> None:
    now = [1_700_000_000.0]
    from aggregate.testing import MemoryStream

    world = World(MemoryStream(clock=lambda: now[0]))
    node = await world.node(refusal_ttl=100.0, attempt_max=20.0)
    command = deposit(10)
    await node.submit(command)
    withdraw = on(command, {"type": "withdraw", "amount": 100})
    with pytest.raises(Rejected):
        await node.submit(withdraw)
    await node.submit(on(command, {"type": "deposit", "amount": 500}))
    now[0] += 101
    receipt = await node.submit(withdraw)
    assert (receipt.version, receipt.duplicate) == (3, False)


async def test_an_expired_refusal_at_the_end_of_the_log_is_no_conflict() -> None:
    now = [1_700_000_000.0]
    from aggregate.testing import MemoryStream

    world = World(MemoryStream(clock=lambda: now[0]))
    node = await world.node(refusal_ttl=100.0, attempt_max=20.0, max_retries=0)
    command = deposit(10)
    await node.submit(command)
    with pytest.raises(Rejected):
        await node.submit(on(command, {"type": "withdraw", "amount": 100}))
    now[0] += 101
    assert (await node.submit(on(command, {"type": "deposit", "amount": 1}))).version == 2


async def test_an_expected_version_that_does_not_hold_is_a_conflict_with_both_versions(world: World) -> None:
    node = await world.node()
    command = deposit()
    await node.submit(command)
    with pytest.raises(VersionConflict) as caught:
        await node.submit(on(command, {"type": "deposit", "amount": 1}, expected_version=Version(5)))
    assert (caught.value.expected, caught.value.actual) == (5, 1)
    assert (await node.submit(on(command, {"type": "deposit", "amount": 1}, expected_version=Version(1)))).version == 2


@pytest.mark.parametrize("payload", [{"invalid": True}, {"type": 5}, {"type": "no spaces allowed"}, [], "deposit", None])
async def test_a_payload_that_is_no_command_names_the_field_and_leaves_no_trace(world: World, payload: object) -> None:
    node = await world.node()
    command = Command(**account(), payload=payload)  # type: ignore[arg-type]
    with pytest.raises(ValidationError) as caught:
        await node.submit(command)
    assert caught.value.field == "payload"
    assert await world.commits(command) == []


async def test_an_unknown_type_is_named(world: World) -> None:
    node = await world.node()
    with pytest.raises(ValidationError, match="Basket") as caught:
        await node.submit(deposit(aggregate_type="Basket"))
    assert caught.value.field == "aggregate_type"


async def test_a_command_id_from_the_future_is_refused(world: World) -> None:
    node = await world.node()
    future = int((time.time() + 3600) * 1000)
    name = f"{future:012x}"
    with pytest.raises(ValidationError, match="5 minutes ahead"):
        await node.submit(deposit(command_id=f"{name[:8]}-{name[8:]}-7000-8000-000000000000"))


async def test_a_defect_of_the_program_is_a_decide_error_with_its_place(world: World) -> None:
    node = await world.node()
    command = Command.new_test({"type": "deposit"})
    with pytest.raises(DecideError) as caught:
        await node.submit(command)
    assert not isinstance(caught.value, Rejected)
    assert caught.value.status == "INTERNAL"
    assert caught.value.record.code == "key"
    assert caught.value.details["function"] == "decide"
    with pytest.raises(DecideError) as again:
        await node.submit(command)
    assert str(again.value) == str(caught.value)


async def test_a_program_that_runs_too_long_is_out_of_gas(world: World) -> None:
    node = await world.node()
    with pytest.raises(DecideError) as caught:
        await node.submit(Command.new_test({"type": "burn", "amount": 90_000}))
    assert (caught.value.record.code, caught.value.status) == ("out_of_gas", "RESOURCE_EXHAUSTED")


async def test_an_event_that_cannot_be_applied_is_never_written(world: World) -> None:
    source = (
        'def decide(state, command):\n    return [event("poison", x = command.x)]\n'
        'def apply(state, event):\n    return {"x": 1 / event.x}\n'
    )
    node = await world.node({"Account": source})
    command = Command.new_test({"type": "go", "x": 0})
    with pytest.raises(ApplyError) as caught:
        await node.submit(command)
    assert caught.value.record.code == "div_zero"
    assert [commit.events for commit in await world.commits(command)] == [()]
    assert (await node.submit(on(command, {"type": "go", "x": 2}))).version == 1


async def test_another_tenant_has_no_access_and_writes_nothing(world: World) -> None:
    node = await world.node()
    command = deposit()
    await node.submit(command)
    foreign = on(command, {"type": "deposit", "amount": 1}, tenant_id="tenant-b")
    for other in (node, await world.node()):
        with pytest.raises(TenantAccessDenied):
            await other.submit(foreign)
        with pytest.raises(TenantAccessDenied):
            await other.get(foreign.tenant_id, foreign.aggregate_type, foreign.aggregate_id)
        with pytest.raises(TenantAccessDenied):
            await other.read_events(foreign.tenant_id, foreign.aggregate_type, foreign.aggregate_id)
    assert await world.commits(foreign) == []


async def test_a_refusal_claims_no_owner(world: World) -> None:
    node = await world.node()
    refused = Command.new_test({"type": "withdraw", "amount": 5})
    with pytest.raises(Rejected):
        await node.submit(refused)
    other = on(refused, {"type": "deposit", "amount": 5}, tenant_id="tenant-b")
    assert (await node.submit(other)).version == 1
    with pytest.raises(TenantAccessDenied):
        await node.submit(on(refused, {"type": "deposit", "amount": 5}))


async def test_each_tenant_has_its_own_ids_where_the_scope_says_so(world: World) -> None:
    node = await world.node(aggregate_id_scope="tenant")
    command = deposit(100)
    await node.submit(command)
    other = on(command, {"type": "deposit", "amount": 200}, tenant_id="tenant-b")
    await node.submit(other)
    states = [await node.get(each.tenant_id, each.aggregate_type, each.aggregate_id) for each in (command, other)]
    assert [state.state.value for state in states] == [{"balance": 100}, {"balance": 200}]


async def test_a_tenants_command_id_used_by_another_tenant_stands_twice(world: World) -> None:
    node = await world.node()
    first, second = deposit(1), deposit(2, tenant_id="tenant-b")
    second = Command(**account("tenant-b"), payload={"type": "deposit", "amount": 2}, command_id=first.command_id)  # type: ignore[arg-type]
    for command in (first, second):
        receipt = await node.submit(command)
        assert not receipt.duplicate
        assert receipt.events[0].tenant_id == command.tenant_id
    third = Command(**account(), payload={"type": "deposit", "amount": 3}, command_id=first.command_id)  # type: ignore[arg-type]
    assert (await node.submit(third)).version == 1


async def test_a_tenant_must_be_named_where_the_node_serves_tenants(world: World) -> None:
    node = await world.node(multi_tenancy=True)
    with pytest.raises(ValidationError) as caught:
        await node.submit(deposit(tenant_id=""))
    assert caught.value.field == "x-tenant-id"


async def test_a_missing_aggregate_is_not_found(world: World) -> None:
    node = await world.node()
    command = deposit()
    with pytest.raises(NotFound):
        await node.get(command.tenant_id, command.aggregate_type, command.aggregate_id)
    with pytest.raises(NotFound):
        await node.read_events(command.tenant_id, command.aggregate_type, command.aggregate_id)


async def test_events_are_read_back_in_order_after_a_version(world: World) -> None:
    node = await world.node()
    command = deposit(1)
    for amount in range(1, 8):
        await node.submit(on(command, {"type": "deposit", "amount": amount}))
    events = await node.read_events(command.tenant_id, command.aggregate_type, command.aggregate_id, after_version=Version(2), limit=3)
    assert [(event.version, event.payload.value["amount"]) for event in events] == [(3, 3), (4, 4), (5, 5)]


async def test_a_passed_deadline_stores_nothing(world: World) -> None:
    node = await world.node()
    command = deposit()
    with pytest.raises(DeadlineExceeded):
        await node.submit(command, deadline=time.monotonic() - 1)
    assert await world.commits(command) == []


async def test_a_full_tenant_is_told_so_and_others_are_not(world: World) -> None:
    import asyncio

    gate = asyncio.Event()

    async def hold(key: AggregateKey) -> None:
        await gate.wait()

    node = await world.node(quota_in_flight=2)
    world.stream.before_append = hold
    held = [asyncio.create_task(node.submit(deposit())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as caught:
        await node.submit(deposit())
    assert (caught.value.reason, caught.value.status) == ("quota_in_flight", "RESOURCE_EXHAUSTED")
    other = asyncio.create_task(node.submit(deposit(tenant_id="tenant-b")))
    await asyncio.sleep(0)
    gate.set()
    assert [receipt.version for receipt in await asyncio.gather(*held, other)] == [1, 1, 1]
    assert node.in_flight == 0


async def test_draining_finishes_what_is_in_flight_and_refuses_what_comes(world: World) -> None:
    import asyncio

    gate = asyncio.Event()

    async def hold(key: AggregateKey) -> None:
        await gate.wait()

    node = await world.node()
    world.stream.before_append = hold
    held = asyncio.create_task(node.submit(deposit()))
    await asyncio.sleep(0)
    assert await node.drain(0.01) is False
    with pytest.raises(Unavailable) as caught:
        await node.submit(deposit())
    assert caught.value.retry_after
    gate.set()
    assert await node.drain(5.0) is True
    assert (await held).version == 1


async def test_observers_are_told_of_every_command(world: World) -> None:
    node = await world.node()
    command = deposit(metadata={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "correlation_id": "c"})
    await node.submit(command)
    with pytest.raises(Rejected):
        await node.submit(on(command, {"type": "withdraw", "amount": 1000}))
    accepted, rejected = world.records
    assert (accepted.outcome, accepted.version, accepted.events, accepted.cold) == ("accepted", 1, 1, True)
    assert (accepted.correlation_id, accepted.trace_id) == ("c", "a" * 32)
    assert accepted.total_seconds >= accepted.append_seconds > 0
    assert (rejected.outcome, rejected.code, rejected.reason, rejected.cold) == ("rejected", "rejected", "insufficient_funds", False)
