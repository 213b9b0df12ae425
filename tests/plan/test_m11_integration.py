"""Plan milestone 11: the parts together, on a real nats-server and LMDB."""

from __future__ import annotations

import asyncio

import pytest

from aggregate.config import AggregateManifest
from aggregate.errors import Rejected, TenantAccessDenied
from aggregate.handler import AggregateHandler
from aggregate.testing import Environment
from aggregate.types import AggregateId, Command, TenantId, Version

pytestmark = pytest.mark.usefixtures("environment")
TENANT = TenantId("tenant-a")
BANK = {name: each.sources[0].text for name, each in AggregateManifest.bank().aggregates.items()}
"""The shipped programs, without the manifest's own snapshot threshold."""


def command(name: AggregateId, payload: object, tenant_id: str = "tenant-a", **members: object) -> Command:
    return Command.new_test(payload, tenant_id, aggregate_id=name, **members)


async def test_11_2_concurrent_commands_same_aggregate() -> None:
    handler = await AggregateHandler.new_test()
    name = AggregateId.new_v7()
    answers = await asyncio.gather(*(handler.handle_command(command(name, {"type": "deposit", "amount": 10})) for _ in range(10)))
    assert sorted(event.version for [event] in answers) == list(range(1, 11))
    assert (await handler.get(TENANT, "Account", name)).state.value == {"balance": 100}  # type: ignore[arg-type]


async def test_11_2_with_the_bank_versions_are_2_to_11(environment: Environment) -> None:
    handler = await environment.handler(sources=BANK)
    name = AggregateId.new_v7()
    await handler.handle_command(command(name, {"type": "open_account"}))
    answers = await asyncio.gather(*(handler.handle_command(command(name, {"type": "deposit", "amount": 10})) for _ in range(10)))
    assert sorted(event.version for [event] in answers) == list(range(2, 12))


async def test_11_3_event_ordering_guaranteed() -> None:
    handler = await AggregateHandler.new_test()
    name = AggregateId.new_v7()
    for _ in range(10):
        await handler.handle_command(command(name, {"type": "deposit", "amount": 10}))
    events = await handler.stream().fetch_events(TENANT, name, Version.initial())
    assert [event.version.as_u64() for event in events] == list(range(1, 11))


async def test_11_4_idempotency_via_command_id() -> None:
    handler = await AggregateHandler.new_test()
    deposit = Command.new_test_deposit_with_tenant("tenant-a", 100)
    first = await handler.handle_command(deposit)
    second = await handler.handle_command(deposit)
    assert first == second
    assert len(await handler.stream().fetch_events(TENANT, deposit.aggregate_id)) == 1


async def test_11_5_system_failure_recovery(environment: Environment) -> None:
    handler = await AggregateHandler.new_test()
    deposit = Command.new_test_deposit_with_tenant("tenant-a", 100)
    await handler.handle_command(deposit)
    before = await handler.get(TENANT, deposit.aggregate_type, deposit.aggregate_id)
    del handler
    await environment.lose_storage()
    recovered = await AggregateHandler.new_test()
    assert len(await recovered.stream().fetch_events(TENANT, deposit.aggregate_id, Version.initial())) == 1
    after = await recovered.get(TENANT, deposit.aggregate_type, deposit.aggregate_id)
    assert (after.state_hash, after.version) == (before.state_hash, before.version)


async def test_11_6_full_bank_account_scenario(environment: Environment) -> None:
    handler = await environment.handler(sources=BANK)
    name = AggregateId.new_v7()
    for payload in (
        {"type": "open_account", "initial_balance": 0},
        {"type": "deposit", "amount": 100},
        {"type": "deposit", "amount": 50},
        {"type": "withdraw", "amount": 75},
    ):
        await handler.handle_command(command(name, payload))
    with pytest.raises(Rejected) as caught:
        await handler.handle_command(command(name, {"type": "withdraw", "amount": 1000}))
    assert caught.value.reason == "insufficient_funds"
    snapshot = await handler.storage().get_snapshot(TENANT, name)
    assert snapshot is not None
    assert snapshot.state.value["balance"] == 75
    events = await handler.stream().fetch_events(TENANT, name)
    assert [(event.version, event.event_type) for event in events] == [
        (1, "account_opened"),
        (2, "deposited"),
        (3, "deposited"),
        (4, "withdrawn"),
    ]


async def test_11_7_tenant_isolation_e2e() -> None:
    handler = await AggregateHandler.new_test()
    name = AggregateId.new_v7()
    await handler.handle_command(command(name, {"type": "deposit", "amount": 100}))
    with pytest.raises(TenantAccessDenied):
        await handler.handle_command(command(name, {"type": "deposit", "amount": 50}, "tenant-b"))
    assert await handler.stream().list_subjects_for_tenant(TenantId("tenant-b")) == []


async def test_11_8_multiple_tenants_same_aggregate_id() -> None:
    handler = await AggregateHandler.new_test(aggregate_id_scope="tenant")
    name = AggregateId.new_v7()
    await handler.handle_command(command(name, {"type": "deposit", "amount": 100}))
    await handler.handle_command(command(name, {"type": "deposit", "amount": 200}, "tenant-b"))
    for tenant, balance in (("tenant-a", 100), ("tenant-b", 200)):
        snapshot = await handler.storage().get_snapshot(TenantId(tenant), name)
        assert snapshot is not None
        assert snapshot.state.value["balance"] == balance


async def test_11_9_nats_subject_namespacing() -> None:
    handler = await AggregateHandler.new_test()
    name = AggregateId.new_v7()
    await handler.handle_command(command(name, {"type": "deposit", "amount": 100}, "acme-corp"))
    await handler.handle_command(command(AggregateId.new_v7(), {"type": "deposit", "amount": 100}, "globex"))
    subjects = await handler.stream().list_subjects_for_tenant(TenantId("acme-corp"))
    assert subjects == [f"tenant.acme-corp.aggregate.Account.{name}"]


async def test_11_10_non_multi_tenant_mode() -> None:
    handler = await AggregateHandler.new_test_non_tenant()
    name = AggregateId.new_v7()
    await handler.handle_command(command(name, {"type": "deposit", "amount": 100}, ""))
    snapshot = await handler.storage().get_snapshot(TenantId(), name)
    assert snapshot is not None
    assert snapshot.state.value == {"balance": 100}
