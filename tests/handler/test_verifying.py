"""Background verification: what is right stays, what is wrong is told and dropped, what cannot be checked is left alone."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from aggregate.errors import StorageError, Unavailable
from aggregate.handler import AggregateHandler
from aggregate.handler.loaded import Loaded
from aggregate.handler.verifying import Verification, Verifier
from aggregate.testing import LENIENT_BANK
from aggregate.types import AggregateKey, Command, Document, Snapshot
from tests.handler.conftest import World, deposit, on


@pytest.fixture
def told() -> list[Verification]:
    return []


def key_of(command: Command) -> AggregateKey:
    return AggregateKey(command.tenant_id, command.aggregate_type, command.aggregate_id)


async def played(node: AggregateHandler, commands: int = 4) -> Command:
    """An account with so many deposits of 10."""
    first = deposit(10)
    await node.submit(first)
    for _ in range(commands - 1):
        await node.submit(on(first, {"type": "deposit", "amount": 10}))
    return first


def spoil(node: AggregateHandler, key: AggregateKey, balance: int) -> Loaded:
    """Another state in the cache than the events make."""
    loaded = node._cache.get(key)
    assert loaded is not None
    node._cache.drop(key)
    node._cache.put(replace(loaded, state=node._programs.get(key.aggregate_type).state(b'{"balance":%d}' % balance)))
    return loaded


def snapshots(world: World, key: AggregateKey) -> list[Snapshot]:
    return world.storage._snapshots.get(key, [])


async def test_what_is_right_stays(world: World, told: list[Verification]) -> None:
    node = await world.node()
    key = key_of(await played(node))
    await node.submit(on(Command.new_test(aggregate_id=key.aggregate_id), {"type": "touch"}))
    found = await node.verifier(told.append).verify_one()
    assert (found, told) == (Verification(key, 4, ()), [found])
    assert node.active_aggregates == 1
    assert len(snapshots(world, key)) == 1


async def test_a_wrong_state_in_the_cache_is_told_and_dropped(
    world: World, told: list[Verification], caplog: pytest.LogCaptureFixture
) -> None:
    node = await world.node()
    first = await played(node)
    right = spoil(node, key_of(first), 41)
    found = await node.verifier(told.append).verify_one()
    assert found is not None
    ((mismatch,), (line,)) = found.mismatches, [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (mismatch.what, mismatch.version, mismatch.made) == ("cached state", 4, right.state.hash())
    assert line.getMessage() == f"{mismatch}; dropped"
    assert (node.active_aggregates, len(snapshots(world, key_of(first)))) == (0, 1)
    assert (await node.get(first.tenant_id, first.aggregate_type, first.aggregate_id)).state.value == {"balance": 40}


async def test_a_wrong_snapshot_is_told_and_deleted_with_those_before_it(world: World, told: list[Verification]) -> None:
    node = await world.node(snapshot_threshold=2)
    first = await played(node)
    kept = snapshots(world, key_of(first))
    kept[-1] = replace(kept[-1], state=Document(b'{"balance":41}'), state_hash="")
    found = await node.verifier(told.append).verify_one()
    assert found is not None
    assert [(mismatch.what, mismatch.version) for mismatch in found.mismatches] == [("snapshot", 4)]
    assert (node.active_aggregates, snapshots(world, key_of(first))) == (1, [])
    assert (await node.verifier(told.append).verify_one()) == Verification(key_of(first), 4, ())


async def test_a_snapshot_that_is_ahead_of_the_log_or_no_state_is_wrong(world: World) -> None:
    node = await world.node(snapshot_threshold=2)
    first = await played(node)
    right = snapshots(world, key_of(first))[-1]
    for wrong, words in (
        (replace(right, version=9), "the log ends at version 4"),
        (replace(right, state=Document(b'{"a":1e99999}')), right.state_hash),
    ):
        world.storage._snapshots[key_of(first)] = [wrong]
        found = await node.verifier(lambda _: None).verify_one()
        assert found is not None
        assert words in found.mismatches[0].made


async def test_what_was_wrong_is_looked_at_first_the_next_time(world: World, told: list[Verification]) -> None:
    node = await world.node(snapshot_threshold=100)
    first = await played(node)
    for _ in range(5):
        await played(node, 1)
    spoil(node, key_of(first), 41)  # and now it is the one used last
    choices: list[int] = []

    def latest(recent: list[Loaded]) -> Loaded:
        choices.append(len(recent))
        return recent[0]

    verifier = Verifier(node._programs, world.storage, world.stream, node._cache, told.append, latest)
    await verifier.verify_one()
    await node.submit(on(first, {"type": "touch"}))
    spoil(node, key_of(first), 42)  # a command that was under way has put its like back
    for _ in range(3):
        await verifier.verify_one()
        await node.get(first.tenant_id, first.aggregate_type, first.aggregate_id)
    assert [len(found.mismatches) for found in told] == [1, 1, 0, 0]
    assert choices == [6, 1, 1, 6]


async def test_a_history_that_cannot_be_folded_is_told_and_what_is_kept_stays(world: World, told: list[Verification]) -> None:
    first = await played(await world.node())
    node = await world.node({"Account": LENIENT_BANK + "\n#"}, snapshot_threshold=1)
    await node.submit(on(first, {"type": "deposit", "amount": 1}))
    node._programs = (await world.node({"Account": LENIENT_BANK.replace("balance_of(state) + event.amount", "state.nothing")}))._programs
    found = await node.verifier(told.append).verify_one()
    assert found is not None
    assert [mismatch.what for mismatch in found.mismatches] == ["history"]
    assert "cannot be folded" in found.mismatches[0].made
    assert node.active_aggregates == 1
    assert snapshots(world, key_of(first))


async def test_refusals_that_have_expired_are_not_missed(world: World, told: list[Verification]) -> None:
    node = await world.node()
    first = await played(node, 2)
    with pytest.raises(Exception, match="insufficient"):
        await node.submit(on(first, {"type": "withdraw", "amount": 99}))
    world.stream._deadlines = dict.fromkeys(world.stream._deadlines, 0.0)
    assert await node.verifier(told.append).verify_one() == Verification(key_of(first), 2, ())


async def test_what_has_no_events_or_too_many_is_passed_over(
    world: World, told: list[Verification], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await world.node()
    assert await node.verifier(told.append).verify_one() is None
    with pytest.raises(Exception, match="insufficient"):
        await node.submit(Command.new_test({"type": "withdraw", "amount": 9}))
    assert await node.verifier(told.append).verify_one() is None
    node._cache.clear()
    await played(node, 3)
    monkeypatch.setattr("aggregate.handler.verifying.LONGEST", 2)
    assert await node.verifier(told.append).verify_one() is None
    assert told == []


async def test_a_store_that_fails_leaves_the_cache_verified(
    world: World, told: list[Verification], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await world.node()
    first = await played(node)

    async def fail(*_: object) -> Snapshot | None:
        raise StorageError("broken")

    monkeypatch.setattr(world.storage, "get_snapshot", fail)
    assert await node.verifier(told.append).verify_one() == Verification(key_of(first), 4, ())


async def test_it_goes_on_for_ever_whatever_happens(world: World, caplog: pytest.LogCaptureFixture) -> None:
    node = await world.node()
    await played(node)
    world.stream.connected = False
    done = asyncio.Event()
    troubles: list[Exception] = [ValueError("a defect"), Unavailable("gone for now")]

    def tell(_: Verification) -> None:
        if troubles:
            raise troubles.pop()
        done.set()

    caplog.set_level(logging.WARNING)
    task = asyncio.create_task(node.verifier(tell).run(0.001))
    async with asyncio.timeout(20):
        while "nothing verified this time: not connected to NATS" not in caplog.text:  # noqa: ASYNC110 - a log line announces nothing
            await asyncio.sleep(0.001)
        world.stream.connected = True
        await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "gone for now" in caplog.text
    assert "a defect" in caplog.text


async def test_looking_at_what_was_used_last_is_no_use_of_it(world: World) -> None:
    node = await world.node()
    keys = [key_of(await played(node, 1)) for _ in range(3)]
    hits = node._cache.hits
    for _ in range(2):
        assert [loaded.key for loaded in node._cache.recent(2)] == [keys[2], keys[1]]
    assert node._cache.hits == hits
    assert node._cache.recent(0) == []
