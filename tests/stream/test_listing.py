"""What tools that look at the whole log ask of it: subjects, histories some at a time, programs that decided once."""

from __future__ import annotations

from aggregate.stream.events import EventStream
from aggregate.stream.programs import Source
from aggregate.stream.subjects import filter_subject, subject_of
from aggregate.types import AggregateType, TenantId

from .messages import new_commit, new_key, new_message, written


async def listed(log: EventStream, pattern: str) -> tuple[list[str], int]:
    subjects: list[str] = []
    totals = {0}
    async for page, total in log.subject_pages(pattern):
        subjects += page
        totals.add(total)
    return subjects, max(totals)


async def test_subjects_are_listed_by_tenant_type_and_id(log: EventStream) -> None:
    keys = [new_key(), new_key(), new_key("tenant-b"), new_key("")]
    for key in keys:
        await log.append(key, *written(new_message(key)), expected=0)
    everywhere = sorted(map(subject_of, keys))
    assert await listed(log, filter_subject()) == (everywhere, 4)
    assert await listed(log, filter_subject(TenantId("tenant-b"))) == ([subject_of(keys[2])], 1)
    assert await listed(log, filter_subject(TenantId(""))) == ([subject_of(keys[3])], 1)
    assert await listed(log, filter_subject(None, None, keys[0].aggregate_id)) == ([subject_of(keys[0])], 1)
    assert await listed(log, filter_subject(None, AggregateType("Nothing"))) == ([], 0)


async def test_a_history_can_be_read_some_messages_at_a_time(log: EventStream) -> None:
    key = new_key()
    places = [0]
    for version in range(1, 6):
        places.append((await log.append(key, *written(new_message(key, new_commit(version))), expected=places[-1])).sequence)
    for leader in (False, True):
        first = await log.read(key, after=0, upto=places[-1], leader=leader, most=2)
        assert [message.sequence for message in first[:2]] == places[1:3]
        rest = await log.read(key, after=first[-1].sequence, upto=places[-1], leader=leader)
        assert [message.sequence for message in [*first, *rest]] == places[1:]


async def test_a_program_that_decided_once_stays_known(log: EventStream) -> None:
    await log.register_program("Account", "a" * 64, "agl-1", "first")
    await log.register_program("Account", "b" * 64, "agl-1", "second")
    assert await log.program_source("a" * 64) == Source("agl-1", "first")
    assert await log.program_source("c" * 64) is None
