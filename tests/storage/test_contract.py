"""What every snapshot store does, on disk and in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aggregate.errors import ValidationError, VersionConflict
from aggregate.storage import StorageClient
from aggregate.testing.memory_storage import MemoryStorage
from aggregate.types import AggregateId, AggregateType, Snapshot, TenantId, new_uuid7
from aggregate.types.canary import Canary

Store = StorageClient | MemoryStorage
ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64


@pytest.fixture(params=["lmdb", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store = await StorageClient.open(tmp_path / "store") if request.param == "lmdb" else MemoryStorage()
    yield opened
    await opened.close()


def snapshot(version: int = 5, program: str = ONE, of: Snapshot | None = None, **members: object) -> Snapshot:
    base = of or Snapshot.new_test()
    given = {"version": version, "program": program, "generation": int(program[0]) if program else 0, "sequence": version * 10}
    return replace(base, **{**given, **members})  # type: ignore[arg-type]


async def test_gives_back_exactly_what_was_put(store: Store) -> None:
    ids = tuple(sorted((new_uuid7(), number) for number in range(64)))
    put = snapshot(
        state={"balance": "12.50", "name": "ä", "list": [1, None, True]},
        state_hash="ab" * 32,
        last_time="2026-01-31T12:00:00.000Z",
        command_ids=ids,
        floor=new_uuid7(),
        other_ids=True,
        generation=7,
        sequence=2**40,
    )
    await store.put_snapshot(put)
    assert await store.get_snapshot(put.tenant_id, put.aggregate_id) == put
    assert await store.get_snapshot(put.tenant_id, put.aggregate_id, put.aggregate_type, ONE) == put


async def test_a_snapshot_without_program_and_with_empty_tenant_is_as_good(store: Store) -> None:
    put = Snapshot.new_test("")
    await store.put_snapshot(put)
    assert await store.get_snapshot(TenantId(), put.aggregate_id, put.aggregate_type) == put
    assert await store.get_snapshot(TenantId("a"), put.aggregate_id) is None


async def test_knows_nothing_of_what_was_never_put(store: Store) -> None:
    put = snapshot()
    await store.put_snapshot(put)
    assert await store.get_snapshot(put.tenant_id, AggregateId.new_v7()) is None
    assert await store.get_snapshot(put.tenant_id, put.aggregate_id, AggregateType("Order")) is None
    assert await store.get_snapshot(put.tenant_id, put.aggregate_id, put.aggregate_type, TWO) is None


async def test_another_tenant_sees_nothing_even_one_whose_name_begins_alike(store: Store) -> None:
    put = snapshot()
    await store.put_snapshot(put)
    for tenant in ("tenant-b", "tenant-", "tenant-aa", ""):
        assert await store.get_snapshot(TenantId(tenant), put.aggregate_id) is None


async def test_types_of_one_id_are_kept_apart(store: Store) -> None:
    account = snapshot(version=5)
    order = replace(account, aggregate_type=AggregateType("Acc"), version=3)
    await store.put_snapshot(account)
    await store.put_snapshot(order)
    assert await store.get_snapshot(account.tenant_id, account.aggregate_id, AggregateType("Acc")) == order
    assert await store.get_snapshot(account.tenant_id, account.aggregate_id, AggregateType("Account")) == account
    await store.delete_snapshot(account.tenant_id, account.aggregate_id, AggregateType("Acc"))
    assert await store.get_snapshot(account.tenant_id, account.aggregate_id) == account


@pytest.mark.parametrize("version", [5, 4])
async def test_the_same_or_an_earlier_version_is_a_conflict_and_changes_nothing(store: Store, version: int) -> None:
    first = snapshot(version=5)
    await store.put_snapshot(first)
    with pytest.raises(VersionConflict) as caught:
        await store.put_snapshot(snapshot(version=version, of=first, state={"balance": 0}))
    assert (caught.value.expected, caught.value.actual) == (version, 5)
    assert await store.get_snapshot(first.tenant_id, first.aggregate_id) == first


async def test_another_program_is_no_conflict(store: Store) -> None:
    first = snapshot(version=5, program=ONE)
    second = snapshot(version=5, program=TWO, of=first, sequence=51)
    await store.put_snapshot(first)
    await store.put_snapshot(second)
    assert await store.get_snapshot(first.tenant_id, first.aggregate_id, first.aggregate_type, ONE) == first
    assert await store.get_snapshot(first.tenant_id, first.aggregate_id) == second


async def test_the_newest_version_is_given_and_the_one_before_still_kept(store: Store) -> None:
    first = snapshot(version=1)
    for version in range(1, 6):
        await store.put_snapshot(snapshot(version=version, of=first))
    found = await store.get_snapshot(first.tenant_id, first.aggregate_id)
    assert found is not None
    assert found.version == 5


async def test_the_last_two_programs_are_kept(store: Store) -> None:
    first = snapshot(program=ONE)
    for program in (ONE, TWO, THREE):
        await store.put_snapshot(snapshot(program=program, of=first))
    found = [await store.get_snapshot(first.tenant_id, first.aggregate_id, first.aggregate_type, each) for each in (ONE, TWO, THREE)]
    assert [each is not None for each in found] == [False, True, True]


async def test_another_version_of_the_language_is_ignored_and_replaced(store: Store) -> None:
    old = snapshot(language="agl-0")
    await store.put_snapshot(old)
    assert await store.get_snapshot(old.tenant_id, old.aggregate_id) is None
    new = replace(old, language="agl-1")
    await store.put_snapshot(new)
    assert await store.get_snapshot(old.tenant_id, old.aggregate_id) == new


async def test_put_later_is_seen_at_once_and_after_the_flush(store: Store) -> None:
    first = snapshot(version=1)
    for version in range(1, 20):
        put = snapshot(version=version, of=first)
        store.put_later(put)
        assert await store.get_snapshot(first.tenant_id, first.aggregate_id, first.aggregate_type, ONE) == put
    await store.flush()
    found = await store.get_snapshot(first.tenant_id, first.aggregate_id)
    assert found is not None
    assert found.version == 19
    assert store.health().dropped == 0


async def test_put_later_of_an_older_version_changes_nothing_and_is_no_drop(store: Store) -> None:
    first = snapshot(version=9)
    await store.put_snapshot(first)
    store.put_later(snapshot(version=8, of=first))
    store.put_later(snapshot(version=9, of=first, state={"balance": 0}))
    assert await store.get_snapshot(first.tenant_id, first.aggregate_id) == first
    await store.flush()
    assert await store.get_snapshot(first.tenant_id, first.aggregate_id) == first
    assert store.health().dropped == 0


async def test_after_a_delete_there_is_nothing_and_any_version_may_be_put(store: Store) -> None:
    first = snapshot(version=9)
    await store.put_snapshot(first)
    store.put_later(snapshot(version=10, of=first))
    await store.delete_snapshot(TenantId("tenant-b"), first.aggregate_id)
    assert await store.get_snapshot(first.tenant_id, first.aggregate_id) is not None
    await store.delete_snapshot(first.tenant_id, first.aggregate_id)
    assert await store.get_snapshot(first.tenant_id, first.aggregate_id) is None
    await store.put_snapshot(snapshot(version=1, of=first))


async def test_more_command_ids_than_are_kept_raise_the_floor(store: Store) -> None:
    ids = sorted(new_uuid7() for _ in range(70))
    put = snapshot(command_ids=tuple((name, 1) for name in reversed(ids)), floor=ids[0])
    await store.put_snapshot(put)
    found = await store.get_snapshot(put.tenant_id, put.aggregate_id)
    assert found is not None
    assert [name for name, _ in found.command_ids] == ids[6:]
    assert found.floor == ids[5]


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"program": "bank"}, "program"),
        ({"program": "A" * 64}, "program"),
        ({"state_hash": "ab"}, "state_hash"),
        ({"floor": "x"}, "floor"),
        ({"command_ids": (("nobody", 1),)}, "command_ids"),
        ({"sequence": -1}, "snapshot"),
        ({"language": "x" * 300}, "snapshot"),
    ],
)
async def test_what_does_not_fit_the_format_is_refused_and_later_dropped(store: Store, members: dict[str, object], field: str) -> None:
    bad = replace(snapshot(), **members)  # type: ignore[arg-type]
    with pytest.raises(ValidationError) as caught:
        await store.put_snapshot(bad)
    assert caught.value.field == field
    store.put_later(bad)
    await store.flush()
    assert store.health().dropped == 1
    good = snapshot()
    await store.put_snapshot(good)
    assert await store.get_snapshot(good.tenant_id, good.aggregate_id) == good


async def test_a_program_that_is_no_digest_is_refused_when_asked_for(store: Store) -> None:
    with pytest.raises(ValidationError):
        await store.get_snapshot(TenantId("a"), AggregateId.new_v7(), None, "bank")


async def test_the_greatest_canary_is_kept(store: Store) -> None:
    assert store.get_canary() is None
    assert not store.stream_seen()
    for sequence in (5, 9, 7):
        store.put_canary(Canary(sequence, f"id-{sequence}", 1_700_000_000_000_000_000 + sequence))
    assert store.get_canary() == Canary(9, "id-9", 1_700_000_000_000_000_009)
    assert store.stream_seen()


async def test_that_the_stream_was_seen_is_remembered(store: Store) -> None:
    store.mark_stream_seen()
    store.mark_stream_seen()
    assert store.stream_seen()
    await store.set_aside("the log is another one")
    assert store.stream_seen()


async def test_setting_aside_leaves_an_empty_store_that_works(store: Store) -> None:
    first = snapshot()
    await store.put_snapshot(first)
    store.put_canary(Canary(9, "id", 1))
    await store.set_aside("the log is older than the snapshots")
    assert await store.get_snapshot(first.tenant_id, first.aggregate_id) is None
    assert store.get_canary() is None
    await store.put_snapshot(first)
    assert await store.get_snapshot(first.tenant_id, first.aggregate_id) == first


async def test_a_healthy_store_says_so(store: Store) -> None:
    health = store.health()
    assert (health.connected, health.breaker, health.waiting, health.dropped, health.set_aside) == (True, "closed", 0, 0, ())
