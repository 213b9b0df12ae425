"""What a caller was told holds, whatever comes in between: found by fault campaigns or by thinking about them, said again small."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress

import pytest

from aggregate.errors import DeadlineExceeded, OutcomeUnknown, Rejected, Unavailable
from aggregate.stream.interface import StoredMessage
from aggregate.testing import MemoryStream
from aggregate.types import AggregateKey, Command, new_uuid7
from tests.handler.conftest import World, deposit, on


class Behind(MemoryStream):
    """A log whose reads, the `stale` ones, are answered by servers that know it up to `horizon` alone; appends go where they should."""

    horizon = 0
    stale: Iterable[str] = ()

    def _limit(self, name: str, upto: int) -> int:
        return min(upto, self.horizon) if name in self.stale else upto

    async def last(self, key: AggregateKey) -> StoredMessage | None:
        found = await super().read(key, after=0, upto=self._limit("last", 2**62))
        return found[-1] if found else None

    async def read(self, key: AggregateKey, *, after: int, upto: int, leader: bool = False, most: int | None = None) -> list[StoredMessage]:
        name = "read_leader" if leader else "read"
        return await super().read(key, after=after, upto=self._limit(name, upto), leader=leader, most=most)

    async def read_since(self, key: AggregateKey, *, milliseconds: int, upto: int) -> list[StoredMessage]:
        found = await super().read(key, after=0, upto=self._limit("read_since", upto))
        return [message for message in found if message.time >= milliseconds * 1_000_000]

    async def message_at(self, sequence: int) -> StoredMessage | None:
        return await super().message_at(sequence) if sequence <= self._limit("message_at", sequence) else None


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def world(behind: Behind) -> World:
    return World(stream=behind)


async def ids(world: World, command: Command) -> list[str]:
    return [commit.command_id for commit in await world.commits(command)]


async def test_nothing_is_stored_for_a_caller_whose_deadline_passed_while_the_aggregate_was_loaded(world: World) -> None:
    node = await world.node()
    loading, last = asyncio.Event(), world.stream.last

    async def slow(key: AggregateKey) -> StoredMessage | None:
        await loading.wait()
        return await last(key)

    world.stream.last = slow  # type: ignore[method-assign]
    command = deposit()
    patient = asyncio.create_task(node.submit(on(command, {"type": "deposit", "amount": 1})))
    with pytest.raises(DeadlineExceeded, match="nothing was stored"):
        await node.submit(command, deadline=time.monotonic() + 0.02)
    loading.set()
    await patient
    assert await node.drain(5)
    assert await ids(world, command) == [patient.result().command_id]


@pytest.mark.parametrize("stale", [["message_at"], ["message_at", "read_leader"], ["message_at", "read_leader", "read", "last"]])
async def test_a_retry_is_not_decided_again_because_a_server_does_not_have_the_original_yet(
    world: World, behind: Behind, stale: list[str]
) -> None:
    node = await world.node()
    command = deposit()
    first = on(command, {"type": "deposit", "amount": 1})
    await asyncio.gather(node.submit(first), node.submit(command))  # in one message, so that its message id is not the command's
    behind.stale = stale
    with suppress(Unavailable):
        assert (await node.submit(command)).duplicate
    behind.stale = ()
    assert (await node.submit(command)).duplicate
    assert await ids(world, command) == [first.command_id, command.command_id]


@pytest.mark.parametrize("stale", [["message_at"], ["message_at", "read_leader"], ["message_at", "read_leader", "read", "last"]])
async def test_a_refusal_that_stands_is_not_decided_again_either(world: World, behind: Behind, stale: list[str]) -> None:
    node = await world.node()
    first = deposit()
    refused = on(first, {"type": "withdraw", "amount": 15})
    await node.submit(first)
    behind.horizon = 2  # the owner message and the deposit
    with pytest.raises(Rejected):
        await node.submit(refused)
    behind.stale = stale
    with pytest.raises((Rejected, Unavailable, DeadlineExceeded)):
        await node.submit(refused, deadline=time.monotonic() + 0.1)
    behind.stale = ()
    with pytest.raises(Rejected):
        await node.submit(refused)
    assert await ids(world, first) == [first.command_id, refused.command_id]


async def test_a_retry_below_the_floor_is_not_decided_again_because_a_replica_is_behind(world: World, behind: Behind) -> None:
    node = await world.node(cache_bytes=0, snapshot_threshold=10)
    command = deposit()
    await node.submit(command)
    for _ in range(80):
        await node.submit(on(command, {"type": "deposit", "amount": 1}))
    behind.stale = ["read_since"]
    with pytest.raises(Unavailable):
        await node.submit(command)
    behind.horizon = 60  # has the original, not the newest
    with pytest.raises(Unavailable):
        await node.submit(command)
    behind.stale = ()
    assert (await node.submit(command)).duplicate
    assert (await ids(world, command)).count(command.command_id) == 1


async def test_an_id_from_before_is_new_once_the_whole_log_says_so(world: World) -> None:
    early = new_uuid7()
    node = await world.node(cache_bytes=0, snapshot_threshold=10)
    command = deposit()
    for _ in range(80):
        await node.submit(on(command, {"type": "deposit", "amount": 1}))
    assert not (await node.submit(on(command, {"type": "deposit", "amount": 1}, command_id=early))).duplicate


async def test_a_tail_without_its_refusals_is_no_tail(world: World, behind: Behind) -> None:
    """A replica leaves out what another node was told in between: no version is missing, but the next retry would be decided anew."""
    one, two = await world.node(), await world.node()
    first = deposit()
    await one.submit(first)
    behind.horizon = 2
    refused = on(first, {"type": "withdraw", "amount": 15})
    with pytest.raises(Rejected):
        await two.submit(refused)
    with pytest.raises(Rejected):
        await two.submit(on(first, {"type": "withdraw", "amount": 20}))
    behind.stale = ["read"]
    await one.submit(on(first, {"type": "deposit", "amount": 100}))
    with pytest.raises(Rejected):
        await one.submit(refused)
    behind.stale = ()
    assert (await ids(world, first)).count(refused.command_id) == 1


async def test_events_are_read_to_the_end_or_not_at_all(world: World, behind: Behind) -> None:
    node = await world.node()
    command = deposit()
    await node.submit(command)
    await node.submit(on(command, {"type": "deposit", "amount": 1}))
    whose = command.tenant_id, command.aggregate_type, command.aggregate_id
    behind.horizon, behind.stale = 2, ["read"]
    assert [event.version for event in await node.read_events(*whose)] == [1, 2]
    behind.stale = ["read", "read_leader"]
    with pytest.raises(Unavailable):
        await node.read_events(*whose)


async def test_an_attempt_that_landed_after_all_is_no_conflict_to_give_up_on(world: World, behind: Behind) -> None:
    """The answer is lost, and who is asked for the log is behind: it looks as if somebody else had written."""
    node = await world.node(max_retries=0)
    command = deposit()
    await node.submit(command)
    await node.submit(on(command, {"type": "withdraw", "amount": 1}))
    looks = iter([["last"]])

    async def lose(key: AggregateKey) -> None:
        world.stream.after_append = None
        behind.horizon, behind.stale = 2, next(looks)
        asyncio.get_running_loop().call_later(0.07, setattr, behind, "stale", ())
        raise OutcomeUnknown("", "lost")

    world.stream.after_append = lose
    later = on(command, {"type": "deposit", "amount": 5})
    try:
        await node.submit(later, deadline=time.monotonic() + 0.5)
    except Unavailable:
        assert (await node.submit(later)).duplicate
    assert (await ids(world, command)).count(later.command_id) == 1


async def test_a_refusal_is_told_again_and_again_though_its_message_id_is_still_known() -> None:
    """Three times within the duplicate window of the log, each time after the refusal before has expired."""
    now = time.time()
    world = World(stream=MemoryStream(clock=lambda: now))
    node = await world.node(refusal_ttl=4, attempt_max=1)
    command = deposit()
    await node.submit(command)
    refused = on(command, {"type": "withdraw", "amount": 15})
    for _ in range(4):
        with pytest.raises(Rejected):
            await node.submit(refused)
        now += 10


async def test_a_snapshot_is_not_deleted_on_the_word_of_a_server_that_is_behind(world: World, behind: Behind) -> None:
    command = deposit(1)
    node = await world.node()
    for _ in range(3):
        await node.submit(on(command, {"type": "deposit", "amount": 1}))
    behind.stale = ["last"]
    with pytest.raises(Unavailable) as caught:
        await (await world.node()).submit(on(command, {"type": "deposit", "amount": 1}))
    assert caught.value.reason == "log_older"
    assert await world.storage.get_snapshot(command.tenant_id, command.aggregate_id) is not None
