"""What the handler may rely on, whatever log it has."""

from __future__ import annotations

import asyncio

import pytest

from aggregate.errors import MessageTooLarge, OutcomeUnknown, StreamConflict, TenantAccessDenied, ValidationError, VersionConflict
from aggregate.stream.codec import decode_message
from aggregate.stream.events import EventStream
from aggregate.stream.headers import MESSAGE_ID
from aggregate.stream.subjects import owner_subject, subject_of
from aggregate.stream.subscription import Passed
from aggregate.types import AggregateId, AggregateKey, Event, TenantId, new_uuid7
from tests.stream.messages import new_commit, new_key, new_message, written


async def test_a_message_comes_back_byte_for_byte(log: EventStream) -> None:
    key = new_key()
    body, headers = written(new_message(key))
    appended = await log.append(key, body, headers, expected=0)
    last = await log.last(key)
    assert last is not None
    assert (last.sequence, last.subject, last.body) == (appended.sequence, subject_of(key), body)
    assert headers.items() <= last.headers.items()
    assert not appended.duplicate
    assert not last.expires
    assert last.time > 1_600_000_000 * 10**9
    assert await log.message_at(appended.sequence) == last
    assert await log.message_at(appended.sequence + 100) is None
    assert decode_message(last) == new_message(key, *decode_message(last).commits)


async def test_an_append_needs_the_last_sequence(log: EventStream) -> None:
    key = new_key()
    first = await log.append(key, *written(new_message(key)), expected=0)
    for wrong in (0, first.sequence + 7):
        with pytest.raises(StreamConflict) as caught:
            await log.append(key, *written(new_message(key, new_commit(2))), expected=wrong)
        assert caught.value.actual == first.sequence
    second = await log.append(key, *written(new_message(key, new_commit(2))), expected=first.sequence)
    assert second.sequence > first.sequence


async def test_of_many_appends_on_one_condition_one_is_stored(log: EventStream) -> None:
    key = new_key()
    results = await asyncio.gather(*(log.append(key, *written(new_message(key)), expected=0) for _ in range(16)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, StreamConflict) for result in results if isinstance(result, BaseException))
    assert len(await log.read(key, after=0, upto=2**62, leader=True)) == 1


async def test_a_message_sent_twice_under_its_condition_is_a_conflict(log: EventStream) -> None:
    key = new_key()
    body, headers = written(new_message(key))
    await log.append(key, body, headers, expected=0)
    with pytest.raises(StreamConflict):
        await log.append(key, body, headers, expected=0)


async def test_a_message_id_known_from_elsewhere_is_called_a_duplicate(log: EventStream) -> None:
    first, second = new_key(), new_key("tenant-b")
    body, headers = written(new_message(first))
    appended = await log.append(first, body, headers, expected=0)
    again = await log.append(second, written(new_message(second))[0], headers, expected=0)
    assert again.duplicate
    assert again.sequence == appended.sequence
    assert await log.last(second) is None


async def test_a_message_over_the_limit_is_refused_with_its_size(log: EventStream) -> None:
    key = new_key()
    _, headers = written(new_message(key))
    with pytest.raises(MessageTooLarge) as caught:
        await log.append(key, b"x" * (log.max_payload + 1), headers, expected=0)
    assert caught.value.size > caught.value.limit == log.max_payload
    assert await log.last(key) is None


async def test_reading_goes_from_after_to_upto(log: EventStream) -> None:
    key, other = new_key(), new_key()
    sequences = [0]
    for version in range(1, 6):
        sequences.append((await log.append(key, *written(new_message(key, new_commit(version))), expected=sequences[-1])).sequence)
        last = await log.last(other)
        await log.append(other, *written(new_message(other, new_commit(version))), expected=0 if last is None else last.sequence)
    await _caught_up(log, key, sequences[5])
    for leader in (False, True):
        found = await log.read(key, after=sequences[1], upto=sequences[4], leader=leader)
        assert [message.sequence for message in found] == sequences[2:5]
        assert {message.subject for message in found} == {subject_of(key)}
        assert await log.read(key, after=sequences[5], upto=sequences[5] + 100, leader=leader) == []
        assert await log.read(new_key(), after=0, upto=10**6, leader=leader) == []
    assert await log.read(key, after=0, upto=sequences[5]) == await log.read(key, after=0, upto=sequences[5], leader=True)


async def test_reading_since_a_time(log: EventStream) -> None:
    key = new_key()
    first = await log.append(key, *written(new_message(key)), expected=0)
    stored = await log.message_at(first.sequence)
    assert stored is not None
    milliseconds = stored.time // 10**6
    while (second_time := await _append_and_time(log, key)) // 10**6 <= milliseconds + 1:
        pass
    last = await log.last(key)
    assert last is not None
    await _caught_up(log, key, last.sequence)
    assert [message.sequence for message in await log.read_since(key, milliseconds=milliseconds, upto=first.sequence)] == [first.sequence]
    assert first.sequence not in {message.sequence for message in await log.read_since(key, milliseconds=second_time // 10**6, upto=2**62)}
    assert await log.read_since(key, milliseconds=0, upto=2**62) == await log.read(key, after=0, upto=2**62)
    assert await log.read_since(key, milliseconds=4_000_000_000_000, upto=2**62) == []


async def _caught_up(log: EventStream, key: AggregateKey, sequence: int) -> None:
    """Wait until whoever answers direct gets knows the message (any replica may, and each may lag)."""
    in_a_row = 0
    async with asyncio.timeout(20):
        while in_a_row < 10:
            messages = await log.read(key, after=0, upto=sequence)
            in_a_row = in_a_row + 1 if messages and messages[-1].sequence == sequence else 0
            await asyncio.sleep(0.005)


async def _append_and_time(log: EventStream, key: AggregateKey) -> int:
    last = await log.last(key)
    assert last is not None
    version = decode_message(last).last_version + 1
    await log.append(key, *written(new_message(key, new_commit(version))), expected=last.sequence)
    now = await log.last(key)
    assert now is not None
    return now.time


async def test_an_owner_is_claimed_with_the_first_message_by_one_tenant(log: EventStream) -> None:
    keys = [new_key("tenant-a")]
    keys += [new_key("tenant-b")]
    shared = keys[0].aggregate_id
    rivals = [type(key)(key.tenant_id, key.aggregate_type, shared) for key in keys]
    assert await log.owner(shared) is None
    results = await asyncio.gather(
        *(log.append(key, *written(new_message(key)), expected=0, claim_owner=True) for key in rivals for _ in range(4)),
        return_exceptions=True,
    )
    winners = [
        key for key, result in zip([key for key in rivals for _ in range(4)], results, strict=True) if not isinstance(result, Exception)
    ]
    assert len(winners) == 1
    assert await log.owner(shared) == winners[0].tenant_id
    for key in rivals:
        assert (await log.last(key) is not None) == (key is winners[0])
    first = await log.last(winners[0])
    assert first is not None
    following = await log.append(winners[0], *written(new_message(winners[0], new_commit(2))), expected=first.sequence)
    assert following.sequence > first.sequence


async def test_an_owner_is_claimed_behind_a_refusal(log: EventStream) -> None:
    key = new_key()
    refusal = await log.append(key, *written(new_message(key, new_commit(refused=True))), expected=0, ttl=60)
    body, headers = written(new_message(key))
    with pytest.raises(StreamConflict):
        await log.append(key, body, headers, expected=0, claim_owner=True)
    assert await log.owner(key.aggregate_id) is None
    accepted = await log.append(key, body, headers, expected=refusal.sequence, claim_owner=True)
    last = await log.last(key)
    assert last is not None
    assert (last.sequence, last.body) == (accepted.sequence, body)
    assert await log.owner(key.aggregate_id) == key.tenant_id


async def test_a_claim_under_a_known_message_id_has_an_unknown_outcome(log: EventStream) -> None:
    key = new_key()
    body, headers = written(new_message(key))
    await log.append(key, body, headers, expected=0, claim_owner=True)
    with pytest.raises((OutcomeUnknown, StreamConflict)):
        await log.append(key, body, headers, expected=0, claim_owner=True)
    other = new_key()
    with pytest.raises(OutcomeUnknown):
        await log.append(other, written(new_message(other))[0], headers, expected=0, claim_owner=True)
    assert await log.owner(other.aggregate_id) is None


async def test_a_confirmation_says_whether_a_sequence_is_the_last(log: EventStream) -> None:
    key = new_key()
    assert await log.confirm(subject_of(key), 0)
    assert await log.confirm(owner_subject(key.aggregate_id), 0)
    first = await log.append(key, *written(new_message(key)), expected=0)
    assert await log.confirm(subject_of(key), first.sequence)
    assert not await log.confirm(subject_of(key), 0)
    assert not await log.confirm(subject_of(key), first.sequence + 1)


async def test_programs_are_numbered_by_type_in_the_order_they_came(log: EventStream) -> None:
    one, two = "11" * 32, "22" * 32
    assert await log.register_program("Account", one, "agl-1", "source one") == 1
    assert await log.register_program("Account", one, "agl-1", "source one") == 1
    assert await log.register_program("Order", two, "agl-1", "source two") == 1
    assert await log.register_program("Account", two, "agl-1", "source two") == 2
    assert await log.register_program("Account", one, "agl-1", "source one") == 3


async def test_many_nodes_that_load_a_program_agree_on_its_number(log: EventStream) -> None:
    numbers = await asyncio.gather(*(log.register_program("Account", "33" * 32, "agl-1", "source") for _ in range(8)))
    assert set(numbers) == {1}


async def test_positions_name_places(log: EventStream) -> None:
    assert log.sequence(log.position(17)) == 17
    assert log.sequence("") == 0
    for text in ("17", "1:17", "0:-1", "0:017", "0:17\n", "0:" + "9" * 30, "x"):
        with pytest.raises(ValidationError) as caught:
            log.sequence(text)
        assert caught.value.field == "position"


async def test_events_are_published_under_their_versions(log: EventStream) -> None:
    aggregate_id = AggregateId.new_v7()
    command = new_uuid7()
    events = [Event.new_test(aggregate_id=aggregate_id, version=version, command_id=command) for version in (1, 2)]
    events += [Event.new_test(aggregate_id=aggregate_id, version=3, metadata={"correlation_id": "c-1"})]
    position = await log.publish_events(events)
    found = await log.fetch_events(TenantId("tenant-a"), aggregate_id)
    assert [(event.event_id, event.version, event.payload) for event in found] == [(e.event_id, e.version, e.payload) for e in events]
    assert found[0].position == found[1].position
    assert found[2].position == position
    assert found[2].metadata == {"correlation_id": "c-1"}
    assert [event.version for event in await log.fetch_events(TenantId("tenant-a"), aggregate_id, 1)] == [2, 3]


async def test_events_published_twice_stand_once(log: EventStream) -> None:
    events = [Event.new_test()]
    assert await log.publish_events(events) == await log.publish_events(events)
    assert len(await log.fetch_events(TenantId("tenant-a"), events[0].aggregate_id)) == 1


async def test_events_that_do_not_follow_are_refused(log: EventStream) -> None:
    event = Event.new_test(version=3)
    with pytest.raises(VersionConflict) as caught:
        await log.publish_events([event])
    assert (caught.value.expected, caught.value.actual) == (2, 0)
    first = Event.new_test(aggregate_id=event.aggregate_id)
    await log.publish_events([first])
    with pytest.raises(VersionConflict):
        await log.publish_events([Event.new_test(aggregate_id=event.aggregate_id)])
    command = new_uuid7()
    with pytest.raises(ValidationError):
        await log.publish_events([Event.new_test(aggregate_id=event.aggregate_id, version=v, command_id=command) for v in (2, 4)])


async def test_published_events_claim_their_aggregate_for_the_tenant(log: EventStream) -> None:
    event = Event.new_test()
    await log.publish_events([event])
    with pytest.raises(TenantAccessDenied):
        await log.publish_events([Event.new_test(tenant_id="tenant-b", aggregate_id=event.aggregate_id)])
    await log.publish_events([Event.new_test(aggregate_type="Order", aggregate_id=event.aggregate_id)])
    with pytest.raises(ValidationError):
        await log.fetch_events(TenantId("tenant-a"), event.aggregate_id)
    assert len(await log.fetch_events(TenantId("tenant-a"), event.aggregate_id, 0, event.aggregate_type)) == 1


async def test_tenants_do_not_see_each_other(log: EventStream) -> None:
    event = Event.new_test(tenant_id="")
    await log.publish_events([event, Event.new_test(tenant_id="tenant-b")])
    assert await log.fetch_events(TenantId("tenant-b"), event.aggregate_id) == []
    assert await log.fetch_events(TenantId("tenant-b"), event.aggregate_id, 0, event.aggregate_type) == []
    assert len(await log.fetch_events(TenantId(""), event.aggregate_id)) == 1


async def test_a_feed_gives_what_was_and_what_comes(log: EventStream) -> None:
    before = [Event.new_test(), Event.new_test(tenant_id="tenant-b"), Event.new_test()]
    await log.publish_events(before)
    later = Event.new_test()
    seen: list[Event] = []
    async for event in log.subscribe_to_events(TenantId("tenant-a")):
        seen.append(event)
        if len(seen) == 2:
            await log.publish_events([Event.new_test(tenant_id="tenant-b"), later])
        if len(seen) == 3:
            break
    assert [event.event_id for event in seen] == [before[0].event_id, before[2].event_id, later.event_id]


async def test_a_feed_goes_on_from_a_position_and_narrows_down(log: EventStream) -> None:
    mine = AggregateId.new_v7()
    events = [
        Event.new_test(aggregate_id=mine),
        Event.new_test(aggregate_type="Order"),
        Event.new_test(aggregate_id=mine, version=2),
        Event.new_test(),
        Event.new_test(aggregate_id=mine, version=3),
    ]
    await log.publish_events(events)
    feed = log.follow(TenantId("tenant-a"), ids=[mine])
    first = await anext(feed)
    await feed.aclose()
    assert first.events[0].version == 1
    feed = log.follow(TenantId("tenant-a"), after=first.position, ids=[mine], types=[events[0].aggregate_type])
    assert [(await anext(feed)).events[0].version for _ in range(2)] == [2, 3]
    await feed.aclose()
    many = [AggregateId.new_v7() for _ in range(100)]
    feed = log.follow(TenantId("tenant-a"), ids=[*many, events[1].aggregate_id])
    assert (await anext(feed)).events[0].aggregate_type == "Order"
    await feed.aclose()


async def test_refusals_do_not_show_in_a_feed_but_in_a_subscription(log: EventStream) -> None:
    key = new_key()
    first = await log.append(key, *written(new_message(key, new_commit(1, refused=True))), expected=0, ttl=3600)
    await log.append(key, *written(new_message(key, new_commit(1))), expected=first.sequence)
    feed = log.follow(key.tenant_id)
    assert (await anext(feed)).events[0].version == 1
    await feed.aclose()
    async with log.subscribe([subject_of(key)], after=0) as subscription:
        fence = await anext(subscription)
        assert not isinstance(fence, Passed)
        assert fence.expires
        assert decode_message(fence).only_refusals


async def test_a_mark_comes_after_what_stands_before_it(log: EventStream) -> None:
    key, other = new_key(), new_key("tenant-b")
    await log.append(key, *written(new_message(key)), expected=0)
    beyond = await log.append(other, *written(new_message(other)), expected=0)
    async with log.subscribe([subject_of(key)], after=0) as subscription:
        marked = await subscription.mark()
        assert marked > beyond.sequence
        first, second = await anext(subscription), await anext(subscription)
    assert not isinstance(first, Passed)
    assert first.subject == subject_of(key)
    assert second == Passed(marked)


async def test_a_closed_subscription_ends(log: EventStream) -> None:
    async with log.subscribe([subject_of(new_key())], after=0) as subscription:
        waiting = asyncio.ensure_future(anext(subscription, None))
        await asyncio.sleep(0)
        await subscription.mark()
        assert isinstance(await waiting, Passed)
        waiting = asyncio.ensure_future(anext(subscription, None))
        await asyncio.sleep(0)
    assert await waiting is None
    assert await anext(subscription, None) is None


async def test_the_subjects_of_a_tenant(log: EventStream) -> None:
    events = [Event.new_test(), Event.new_test(aggregate_type="Order"), Event.new_test(tenant_id="tenant-b")]
    await log.publish_events(events)
    subjects = await log.list_subjects_for_tenant(TenantId("tenant-a"))
    assert len(subjects) == 2
    assert all(subject.startswith("tenant.tenant-a.aggregate.") for subject in subjects)


async def test_headers_name_the_first_command(log: EventStream) -> None:
    key = new_key()
    commits = (new_commit(1, metadata={"correlation_id": "c-7", "traceparent": "00-aa-bb-01"}), new_commit(2, 3))
    body, headers = written(new_message(key, *commits))
    await log.append(key, body, headers, expected=0)
    last = await log.last(key)
    assert last is not None
    assert last.headers[MESSAGE_ID] == commits[0].command_id
    assert last.headers["x-correlation-id"] == "c-7"
    assert last.headers["traceparent"] == "00-aa-bb-01"
    assert last.headers["Aggregate-Version"] == "4"
    assert last.headers["Aggregate-Commits"] == "2"
    assert last.headers["Aggregate-Events"] == "deposited"
