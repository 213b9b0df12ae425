"""States of the past: by version, by time, within a commit, and from a log that answers a part at a time."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from aggregate.errors import NotFound, RehydrationError, TenantAccessDenied, ValidationError
from aggregate.handler.history import history, read_time
from aggregate.stream.interface import StoredMessage
from aggregate.testing import LENIENT_BANK, MemoryStream
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, Event, TenantId
from tests.handler.conftest import World, account, deposit, on

TRIPLE = LENIENT_BANK.replace(
    'return [event("deposited", amount = command.amount)]', 'return [event("deposited", amount = command.amount)] * 3'
)


def key_of(command: Command) -> tuple[TenantId, AggregateType, AggregateId]:
    return command.tenant_id, command.aggregate_type, command.aggregate_id


async def published(world: World, times: list[str]) -> tuple[TenantId, AggregateType, AggregateId]:
    """An account with a deposit of 10, 20, ... at each of these times."""
    of = Command(**account(), payload={"type": "x"})  # type: ignore[arg-type]
    events = [
        Event(*key_of(of), version, {"type": "deposited", "amount": 10 * version}, Command.new_test().command_id, timestamp=time)  # type: ignore[arg-type]
        for version, time in enumerate(times, 1)
    ]
    await world.stream.publish_events(events)
    return key_of(of)


async def test_the_state_as_of_each_version(world: World) -> None:
    node = await world.node()
    command = deposit(1)
    receipts = [await node.submit(command)]
    hashes = [(await node.get(*key_of(command))).state_hash]
    for amount in (2, 4, 8):
        receipts.append(await node.submit(on(command, {"type": "deposit", "amount": amount})))
        hashes.append((await node.get(*key_of(command))).state_hash)
    for version, balance in ((1, 1), (2, 3), (3, 7), (4, 15)):
        state = await node.get(*key_of(command), at_version=version)
        assert (state.version, state.state.value, state.state_hash) == (version, {"balance": balance}, hashes[version - 1])
        assert state.position == receipts[version - 1].position
    with pytest.raises(ValidationError, match="at_version: the aggregate is at version 4"):
        await node.get(*key_of(command), at_version=5)
    with pytest.raises(NotFound):
        await node.get(*key_of(command), at_version=0)
    with pytest.raises(NotFound):
        await node.get(*key_of(deposit(1)), at_version=1)
    with pytest.raises(TenantAccessDenied):
        await node.get(TenantId("other"), *key_of(command)[1:], at_version=1)


async def test_a_version_may_lie_within_a_commit(world: World) -> None:
    node = await world.node({"Account": TRIPLE})
    command = deposit(1)
    await node.submit(command)
    await node.submit(on(command, {"type": "deposit", "amount": 10}))
    balances = [(await node.get(*key_of(command), at_version=version)).state.value["balance"] for version in range(1, 7)]
    assert balances == [1, 2, 3, 13, 23, 33]


@pytest.mark.parametrize(
    ("at", "version"),
    [
        ("2026-01-31T12:00:00.000Z", 1),
        ("2026-01-31T12:00:00.999999Z", 1),
        ("2026-01-31T13:00:01+01:00", 3),
        ("2026-01-31t12:59:59.5z", 3),
        ("2026-01-31 13:00:00-00:00", 4),
        ("2999-01-01T00:00:00Z", 4),
    ],
)
async def test_the_state_as_of_a_time(world: World, at: str, version: int) -> None:
    times = ["2026-01-31T12:00:00.000Z", "2026-01-31T12:00:01.000Z", "2026-01-31T12:00:01.000Z", "2026-01-31T13:00:00.000Z"]
    key = await published(world, times)
    state = await (await world.node()).get(*key, at_time=at)
    assert (state.version, state.state.value["balance"]) == (version, sum(10 * each for each in range(1, version + 1)))


async def test_before_its_first_event_there_was_none(world: World) -> None:
    key = await published(world, ["2026-01-31T12:00:00.000Z"])
    with pytest.raises(NotFound):
        await (await world.node()).get(*key, at_time="2026-01-31T11:59:59.999Z")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"at_version": -1}, "at_version"),
        ({"at_version": 2**63}, "at_version"),
        ({"at_version": 1, "at_time": "2026-01-31T12:00:00Z"}, "at_time"),
        *(
            ({"at_time": text}, "at_time")
            for text in (
                "",
                "yesterday",
                "2026-01-31",
                "2026-01-31T12:00:00",
                "2026-13-31T12:00:00Z",
                "0001-01-01T00:00:00+23:59",
                "٢٠٢٦-01-31T12:00:00Z",
            )
        ),
    ],
)
async def test_what_is_no_moment_is_refused_by_name(world: World, asked: dict[str, Any], field: str) -> None:
    node = await world.node()
    command = deposit(1)
    await node.submit(command)
    with pytest.raises(ValidationError) as caught:
        await node.get(*key_of(command), **asked)
    assert caught.value.field == field


def test_times_are_read_as_commits_have_them() -> None:
    assert read_time("2026-01-31T12:00:00.1239Z", "at") == "2026-01-31T12:00:00.123Z"
    assert read_time("2026-01-31T00:30:00+01:00", "at") == "2026-01-30T23:30:00.000Z"
    assert read_time("1969-12-31T23:59:59.5Z", "at") == "1969-12-31T23:59:59.500Z"


async def test_a_past_that_cannot_be_folded_says_where(world: World) -> None:
    node = await world.node()
    command = deposit(1)
    await node.submit(command)
    await node.submit(on(command, {"type": "withdraw", "amount": 1}))
    mended = await world.node({"Account": LENIENT_BANK.replace("balance_of(state) - event.amount", "state.nothing")})
    assert (await node.get(*key_of(command), at_version=1)).version == 1
    with pytest.raises(RehydrationError):
        await mended.get(*key_of(command), at_version=1)  # its newest state cannot be known either


class Lagging(MemoryStream):
    """Replicas that have the first messages only; the leader has all."""

    knows = 2

    async def read(self, key: AggregateKey, *, after: int, upto: int, leader: bool = False, most: int | None = None) -> list[StoredMessage]:
        return await super().read(key, after=after, upto=upto if leader else min(upto, self.knows), leader=leader, most=most)


async def test_what_replicas_do_not_have_yet_comes_from_the_leader() -> None:
    world = World(stream=Lagging(claims_owners=False))
    node = await world.node(aggregate_id_scope="tenant")
    command = deposit(1)
    for amount in range(5):
        await node.submit(on(command, {"type": "deposit", "amount": amount + 1}))
    assert (await node.get(*key_of(command), at_version=4)).state.value == {"balance": 10}
    async with aclosing(history(world.stream, AggregateKey(*key_of(command)), upto=5)) as messages:
        assert [stored.sequence async for stored in messages] == [1, 2, 3, 4, 5]
