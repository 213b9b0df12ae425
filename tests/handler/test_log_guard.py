"""A log that is not the one remembered is noticed before anything is answered from memory of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aggregate.errors import Unavailable
from aggregate.handler import AggregateHandler
from aggregate.handler import log_guard as module
from aggregate.handler.log_guard import LogGuard, canary_of
from aggregate.testing import MemoryStream
from tests.handler.conftest import World, deposit, on


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(module, "RETRY", 0.001)


@asynccontextmanager
async def guarded(world: World) -> AsyncIterator[tuple[AggregateHandler, LogGuard]]:
    guard = LogGuard(world.storage, world.stream)
    node = await world.node(guard=guard)
    task = asyncio.create_task(guard.run())
    guard.doubt()
    await asyncio.wait_for(guard.trusted.wait(), 5)
    yield node, guard
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_the_newest_lasting_message_becomes_the_canary(world: World) -> None:
    async with guarded(world) as (node, guard):
        command = deposit(5)
        await node.submit(command)
        with contextlib.suppress(Exception):
            await node.submit(on(command, {"type": "withdraw", "amount": 100}))
        await guard.look()
        canary = world.storage.get_canary()
        stored = await world.stream.message_at(2)
        assert stored is not None
        assert canary == canary_of(stored)
        assert canary.message_id == command.command_id


async def test_nothing_is_answered_while_there_is_doubt(world: World) -> None:
    guard = LogGuard(world.storage, world.stream)
    node = await world.node(guard=guard)
    command = deposit(5)
    with pytest.raises(Unavailable) as caught:
        await node.submit(command)
    assert caught.value.reason == "checking_log"
    with pytest.raises(Unavailable):
        await node.get(command.tenant_id, command.aggregate_type, command.aggregate_id)
    await guard.look()
    assert (await node.submit(command)).version == 1
    guard.doubt()
    with pytest.raises(Unavailable):
        await node.submit(on(command, {"type": "deposit", "amount": 1}))


@pytest.mark.parametrize("restored", ["empty", "with other messages"])
async def test_another_log_drops_all_that_was_remembered(world: World, restored: str) -> None:
    async with guarded(world) as (node, guard):
        command = deposit(5)
        for _ in range(4):
            await node.submit(on(command, {"type": "deposit", "amount": 1}))
        await guard.look()
        assert await world.storage.get_snapshot(command.tenant_id, command.aggregate_id) is not None
        other = World()
        if restored == "with other messages":
            elsewhere = await other.node()
            for _ in range(9):
                await elsewhere.submit(on(command, {"type": "deposit", "amount": 100}))
        world.stream.__dict__.update(other.stream.__dict__)
        guard.doubt()
        await asyncio.wait_for(guard.trusted.wait(), 5)
        assert "set aside" in guard.replaced
        assert await world.storage.get_snapshot(command.tenant_id, command.aggregate_id) is None
        receipt = await node.submit(on(command, {"type": "deposit", "amount": 7}))
        assert receipt.version == (1 if restored == "empty" else 10)


async def test_a_log_that_names_less_than_was_known_raises_doubt(world: World) -> None:
    async with guarded(world) as (node, guard):
        command = deposit(5)
        await node.submit(command)
        await guard.look()
        world.stream.__dict__.update(MemoryStream().__dict__)
        first = on(command, {"type": "deposit", "amount": 1})
        with pytest.raises(Unavailable) as caught:
            await node.get(command.tenant_id, command.aggregate_type, command.aggregate_id)
        assert caught.value.reason == "log_older"
        await asyncio.wait_for(guard.trusted.wait(), 5)
        assert (await node.submit(first)).version == 1


async def test_a_group_of_unknown_outcome_is_given_up_when_the_log_is_replaced(world: World) -> None:
    from aggregate.errors import OutcomeUnknown

    async with guarded(world) as (node, guard):
        command = deposit(5)
        await node.submit(command)
        await guard.look()

        async def lose(key: object) -> None:
            raise OutcomeUnknown("?", "lost")

        world.stream.before_append = lose
        frozen = asyncio.create_task(node.submit(on(command, {"type": "deposit", "amount": 1}), deadline=time.monotonic() + 60))
        await asyncio.sleep(0.01)
        world.stream.__dict__.update(MemoryStream().__dict__)
        guard.doubt()
        with pytest.raises(Unavailable) as caught:
            await asyncio.wait_for(frozen, 10)
        assert caught.value.reason == "log_replaced"
        assert await node.drain(5)


async def test_a_server_that_is_behind_for_a_moment_is_no_other_log(world: World) -> None:
    async with guarded(world) as (node, guard):
        command = deposit(5)
        await node.submit(command)
        await guard.look()
        read = world.stream.message_at
        behind = iter([None, None, None])

        async def lagging(sequence: int) -> object:
            return next(behind) if behind.__length_hint__() else await read(sequence)

        world.stream.message_at = lagging  # type: ignore[method-assign, assignment]
        await guard.look()
        assert (guard.replaced, guard.trusted.is_set()) == ("", True)
        assert (await node.submit(on(command, {"type": "deposit", "amount": 1}))).version == 2
