"""Milestone 5 of the development plan: the event stream."""

from __future__ import annotations

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from aggregate.stream import StreamClient, build_subject
from aggregate.testing import Environment
from aggregate.types import AggregateId, AggregateType, Event, TenantId, Version


@pytest.fixture
async def stream(environment: Environment) -> StreamClient:
    """What `StreamClient.new_test()` gives inside a test's environment, which closes it."""
    return await StreamClient.new_test()


def ordered_events(tenant_id: str, count: int) -> list[Event]:
    """Versions 1 to `count` of one new aggregate."""
    aggregate_id = AggregateId.new_v7()
    return [Event.new_test(tenant_id=tenant_id, aggregate_id=aggregate_id, version=version) for version in range(1, count + 1)]


async def test_t5_1_publish_and_fetch_events(stream: StreamClient) -> None:
    events = ordered_events("tenant-a", 2)
    await stream.publish_events(events)
    fetched = await stream.fetch_events(TenantId("tenant-a"), events[0].aggregate_id, Version.initial())
    assert len(fetched) == 2
    assert [event.event_id for event in fetched] == [event.event_id for event in events]
    assert [event.payload for event in fetched] == [event.payload for event in events]


async def test_t5_2_events_ordered_by_version(stream: StreamClient) -> None:
    events = ordered_events("tenant-a", 3)
    await stream.publish_events(events)
    fetched = await stream.fetch_events(TenantId("tenant-a"), events[0].aggregate_id, Version.initial())
    assert len(fetched) == 3
    assert all(before.version < after.version for before, after in itertools.pairwise(fetched))


async def test_t5_3_fetch_with_version_filter(stream: StreamClient) -> None:
    events = ordered_events("tenant-a", 5)
    await stream.publish_events(events)
    fetched = await stream.fetch_events(TenantId("tenant-a"), events[0].aggregate_id, Version(2))
    assert [event.version for event in fetched] == [3, 4, 5]


async def test_t5_4_tenant_isolation_stream(stream: StreamClient) -> None:
    events = ordered_events("tenant-a", 1)
    await stream.publish_events(events)
    assert await stream.fetch_events(TenantId("tenant-b"), events[0].aggregate_id, Version.initial()) == []
    assert len(await stream.fetch_events(TenantId("tenant-a"), events[0].aggregate_id, Version.initial())) == 1


def test_t5_5_subject_naming_includes_tenant() -> None:
    aggregate_id = AggregateId.new_v7()
    subject = build_subject(TenantId("acme-corp"), AggregateType("Account"), aggregate_id)
    assert subject.startswith("tenant.acme-corp.aggregate.")
    assert subject == f"tenant.acme-corp.aggregate.Account.{aggregate_id}"
    assert build_subject(TenantId(""), AggregateType("Account"), aggregate_id).startswith("tenant.~.aggregate.")


async def test_t5_6_stream_client_is_used_from_several_tasks_and_threads(stream: StreamClient) -> None:
    histories = [ordered_events("tenant-a", 3) for _ in range(20)]
    loop = asyncio.get_running_loop()

    def from_a_thread(events: list[Event]) -> list[Event]:
        asyncio.run_coroutine_threadsafe(stream.publish_events(events), loop).result(30)
        return asyncio.run_coroutine_threadsafe(stream.fetch_events(TenantId("tenant-a"), events[0].aggregate_id), loop).result(30)

    with ThreadPoolExecutor(4) as threads:
        others = [loop.run_in_executor(threads, from_a_thread, events) for events in histories[:8]]
        await asyncio.gather(*(stream.publish_events(events) for events in histories[8:]))
        fetched = await asyncio.gather(*others)
    fetched += await asyncio.gather(*(stream.fetch_events(TenantId("tenant-a"), events[0].aggregate_id) for events in histories[8:]))
    assert [[event.event_id for event in found] for found in fetched] == [[event.event_id for event in events] for events in histories]
