"""Plan milestone 7: the aggregate's state machine."""

from __future__ import annotations

import pytest

from aggregate.errors import RehydrationError, TenantAccessDenied
from aggregate.handler import AggregateInstance
from aggregate.types import AggregateId, Command, Event, Snapshot, TenantId, Version

TENANT = TenantId("tenant-a")


def deposit_for(instance: AggregateInstance, amount: int, tenant_id: str = "tenant-a") -> Command:
    return Command.new_test_deposit_with_tenant(tenant_id, amount, aggregate_id=instance.aggregate_id())


def test_t7_1_rehydrate_from_snapshot() -> None:
    snapshot = Snapshot.new_test("tenant-a", version=5, state={"balance": 100})
    instance = AggregateInstance.rehydrate(TENANT, snapshot, [])
    assert instance.version() == Version(5)
    assert instance.state()["balance"] == 100


def test_t7_2_rehydrate_from_snapshot_and_events() -> None:
    snapshot = Snapshot.new_test("tenant-a", version=5, state={"balance": 100})
    event = Event.new_test({"type": "deposited", "amount": 50}, "tenant-a", version=6, aggregate_id=snapshot.aggregate_id)
    instance = AggregateInstance.rehydrate(TENANT, snapshot, [event])
    assert instance.version() == Version(6)
    assert instance.state()["balance"] == 150


def test_t7_2_events_must_follow_the_snapshot() -> None:
    snapshot = Snapshot.new_test("tenant-a", version=5, state={"balance": 100})
    for version in (5, 7):
        event = Event.new_test({"type": "deposited", "amount": 50}, "tenant-a", version=version, aggregate_id=snapshot.aggregate_id)
        with pytest.raises(RehydrationError, match=f"version {version} does not follow version 5"):
            AggregateInstance.rehydrate(TENANT, snapshot, [event])


def test_t7_3_rehydrate_rejects_mismatched_tenant_id() -> None:
    snapshot = Snapshot.new_test("tenant-a", version=5, state={})
    with pytest.raises(TenantAccessDenied):
        AggregateInstance.try_rehydrate(TenantId("tenant-b"), snapshot, [])
    event = Event.new_test({"type": "deposited", "amount": 50}, "tenant-b", version=6, aggregate_id=snapshot.aggregate_id)
    with pytest.raises(TenantAccessDenied):
        AggregateInstance.try_rehydrate(TENANT, snapshot, [event])


def test_t7_4_handle_command_produces_events_with_tenant_id() -> None:
    instance = AggregateInstance.new_test_with_tenant("tenant-a")
    events = instance.handle_command(deposit_for(instance, 50))
    assert [event.event_type for event in events] == ["deposited"]
    assert events[0].tenant_id == TENANT
    assert instance.state()["balance"] == 50


def test_t7_5_handle_command_rejects_tenant_mismatch() -> None:
    instance = AggregateInstance.new_test_with_tenant("tenant-a")
    with pytest.raises(TenantAccessDenied):
        instance.handle_command(deposit_for(instance, 50, "tenant-b"))
    assert (instance.version(), instance.state()) == (Version(0), None)


def test_t7_6_version_increments_after_command() -> None:
    instance = AggregateInstance.new_test_with_tenant("tenant-a")
    initial = instance.version()
    instance.handle_command(deposit_for(instance, 50))
    assert instance.version() == initial.increment()


def test_t7_7_aggregate_instance_has_id_and_tenant() -> None:
    instance = AggregateInstance.new_test_with_tenant("tenant-a")
    assert instance.tenant_id() == TENANT
    assert AggregateId(str(instance.aggregate_id())) == instance.aggregate_id()
    assert AggregateInstance.new_test_with_tenant("tenant-a").aggregate_id() != instance.aggregate_id()
