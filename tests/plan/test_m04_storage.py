"""Plan, milestone 4: the storage layer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from aggregate.errors import VersionConflict
from aggregate.storage import StorageClient
from aggregate.types import AggregateId, Snapshot, TenantId


@pytest.fixture
async def storage() -> AsyncIterator[StorageClient]:
    async with await StorageClient.new_test() as client:
        yield client


async def test_t4_1_store_and_retrieve_snapshot(storage: StorageClient) -> None:
    snapshot = Snapshot.new_test("tenant-a")
    await storage.put_snapshot(snapshot)
    assert await storage.get_snapshot(snapshot.tenant_id, snapshot.aggregate_id) == snapshot


async def test_t4_2_version_conflict_on_duplicate(storage: StorageClient) -> None:
    snapshot = Snapshot.new_test("tenant-a")
    await storage.put_snapshot(snapshot)
    with pytest.raises(VersionConflict):
        await storage.put_snapshot(snapshot)


async def test_t4_3_none_for_nonexistent(storage: StorageClient) -> None:
    assert await storage.get_snapshot(TenantId("tenant-a"), AggregateId.new_v7()) is None


async def test_t4_4_tenant_isolation_storage(storage: StorageClient) -> None:
    snapshot = Snapshot.new_test("tenant-a")
    await storage.put_snapshot(snapshot)
    assert await storage.get_snapshot(TenantId("tenant-b"), snapshot.aggregate_id) is None
    await storage.delete_snapshot(TenantId("tenant-b"), snapshot.aggregate_id)
    assert await storage.get_snapshot(snapshot.tenant_id, snapshot.aggregate_id) == snapshot


async def test_t4_5_storage_client_is_used_from_several_tasks_and_threads(storage: StorageClient) -> None:
    def in_a_thread(number: int) -> bool:
        async def both() -> bool:
            snapshot = Snapshot.new_test(f"tenant-{number}")
            await storage.put_snapshot(snapshot)
            return await storage.get_snapshot(snapshot.tenant_id, snapshot.aggregate_id) == snapshot

        return asyncio.run(both())

    snapshots = [Snapshot.new_test("tenant-a") for _ in range(20)]
    with ThreadPoolExecutor(4) as threads:
        others = [asyncio.wrap_future(threads.submit(in_a_thread, number)) for number in range(8)]
        await asyncio.gather(*(storage.put_snapshot(snapshot) for snapshot in snapshots))
        assert await asyncio.gather(*others) == [True] * 8
    found = await asyncio.gather(*(storage.get_snapshot(each.tenant_id, each.aggregate_id) for each in snapshots))
    assert found == snapshots
