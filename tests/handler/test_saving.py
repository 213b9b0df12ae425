"""When a snapshot is written: by events, by bytes, by time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from aggregate.errors import StorageError
from aggregate.handler import AggregateHandler
from aggregate.types import AggregateType, Command
from tests.handler.conftest import World, deposit, on

ACCOUNTS = [AggregateType("Account")]


async def deposits(node: AggregateHandler, command: Command, number: int, **payload: Any) -> None:
    for _ in range(number):
        await node.submit(on(command, {"type": "deposit", "amount": 1, **payload}))


async def saved(world: World, command: Command) -> int:
    found = await world.storage.get_snapshot(command.tenant_id, command.aggregate_id)
    return 0 if found is None else int(found.version)


async def test_by_events(world: World) -> None:
    node, command = await world.node(snapshot_threshold=4), deposit()
    await deposits(node, command, 3)
    assert await saved(world, command) == 0
    await deposits(node, command, 1)
    assert await saved(world, command) == 4
    await deposits(node, command, 3)
    assert await saved(world, command) == 4


async def test_by_bytes_of_the_messages_since_the_last_one(world: World) -> None:
    node, command = await world.node(snapshot_threshold=1000, snapshot_bytes=20_000), deposit()
    await deposits(node, command, 3, note="x" * 3000)  # the command stands in the message, as often as the event
    assert await saved(world, command) == 0
    await deposits(node, command, 3, note="x" * 3000)
    first = await saved(world, command)
    assert first in {4, 5, 6}
    await deposits(node, command, 1)
    assert await saved(world, command) == first, "counted from the last snapshot on"


async def test_bytes_are_counted_by_a_node_that_loads_the_tail_too(world: World) -> None:
    command = deposit()
    await deposits(await world.node(snapshot_threshold=1000, snapshot_bytes=0), command, 4, note="x" * 6000)
    assert await saved(world, command) == 0
    await deposits(await world.node(snapshot_threshold=1000, snapshot_bytes=20_000), command, 1)
    assert await saved(world, command) == 5


async def test_the_manifest_has_the_last_word(world: World) -> None:
    command = deposit()
    await deposits(await world.node(snapshot_threshold=1000, definition={"snapshot_bytes": 1}), command, 1)
    assert await saved(world, command) == 1


async def test_by_time_whatever_has_changed_is_written_once(world: World) -> None:
    node, command, other = await world.node(snapshot_threshold=1000), deposit(), deposit()
    await deposits(node, command, 2)
    await deposits(node, other, 1)
    assert await node.saver.save_all([AggregateType("Order")]) == 0
    assert await node.saver.save_all(ACCOUNTS) == 2
    assert (await saved(world, command), await saved(world, other)) == (2, 1)
    assert await node.saver.save_all(ACCOUNTS) == 0
    await deposits(node, command, 1)
    assert await node.saver.save_all(ACCOUNTS) == 1
    assert (await saved(world, command), await saved(world, other)) == (3, 1)


async def test_the_time_comes_by_itself_and_a_store_that_fails_delays_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    node, command = await world.node(snapshot_threshold=1000, snapshot_age=0.01), deposit()
    await deposits(node, command, 1)
    flush, failed = world.storage.flush, asyncio.Event()

    async def full() -> None:
        failed.set()
        raise StorageError("the disk is full")

    monkeypatch.setattr(world.storage, "flush", full)
    saving = asyncio.create_task(node.saver.run())
    await asyncio.wait_for(failed.wait(), 5)
    monkeypatch.setattr(world.storage, "flush", flush)
    await deposits(node, command, 1)
    while await saved(world, command) != 2:  # noqa: ASYNC110 - the task tells nobody
        await asyncio.sleep(0.005)
    saving.cancel()
    with suppress(asyncio.CancelledError):
        await saving


async def test_without_an_age_nothing_waits_for_it(world: World) -> None:
    node = await world.node(snapshot_age=0)
    await asyncio.wait_for(node.saver.run(), 5)


async def test_a_refusal_asks_for_no_snapshot(world: World) -> None:
    node, command = await world.node(snapshot_threshold=1000, snapshot_bytes=1), deposit()
    await deposits(node, command, 1)
    for _ in range(3):
        with suppress(Exception):
            await node.submit(on(command, {"type": "withdraw", "amount": 1000}))
    assert await saved(world, command) == 1
    assert await node.saver.save_all(ACCOUNTS) == 0


async def test_nothing_is_written_of_what_was_forgotten_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregate.handler.saving.AT_ONCE", 1)
    node, commands = await world.node(snapshot_threshold=1000), [deposit(), deposit()]
    for command in commands:
        await deposits(node, command, 1)
    flush = world.storage.flush

    async def replaced() -> None:
        node.forget()  # the log turned out to be another one
        await flush()

    monkeypatch.setattr(world.storage, "flush", replaced)
    await node.saver.save_all(ACCOUNTS)
    assert sorted([await saved(world, command) for command in commands]) == [0, 1]
