"""Two nodes at once, lost answers, callers that go away: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from aggregate.errors import OutcomeUnknown, Rejected, StorageError, Unavailable
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, Snapshot, TenantId
from tests.handler.conftest import World, account, deposit, on


async def balance(world: World, command: Command) -> int:
    node = await world.node()
    return int((await node.get(command.tenant_id, command.aggregate_type, command.aggregate_id)).state.value["balance"])


async def versions(world: World, command: Command) -> list[int]:
    commits = await world.commits(command)
    return list(itertools.chain.from_iterable(range(c.first_version, c.last_version + 1) for c in commits))


async def test_commands_that_queue_share_a_message(world: World) -> None:
    node = await world.node()
    command = deposit()
    await node.submit(command)
    receipts = await asyncio.gather(*(node.submit(on(command, {"type": "deposit", "amount": 1})) for _ in range(64)))
    assert sorted(receipt.version for receipt in receipts) == list(range(2, 66))
    assert len(await world.commits(command)) == 65
    key = AggregateKey(command.tenant_id, command.aggregate_type, command.aggregate_id)
    last = await world.stream.last(key)
    assert last is not None
    assert len(await world.stream.read(key, after=0, upto=last.sequence)) <= 3


async def test_each_of_a_group_is_decided_on_the_state_the_earlier_ones_leave(world: World) -> None:
    node = await world.node()
    command = deposit(100)
    await node.submit(command)
    answers = await asyncio.gather(
        *(node.submit(on(command, {"type": "withdraw", "amount": 40})) for _ in range(5)), return_exceptions=True
    )
    assert [isinstance(answer, Rejected) for answer in answers] == [False, False, True, True, True]
    assert await balance(world, command) == 20


async def test_the_same_id_twice_in_one_group_is_done_once(world: World) -> None:
    node = await world.node()
    command = deposit(5)
    first, second = await asyncio.gather(node.submit(command), node.submit(command))
    assert sorted([first.duplicate, second.duplicate]) == [False, True]
    assert first.events == second.events
    assert len(await world.commits(command)) == 1


async def test_ten_deposits_at_once_from_two_nodes_are_ten_versions(world: World) -> None:
    nodes = [await world.node(), await world.node()]
    members = account()
    commands = [Command(**members, payload={"type": "deposit", "amount": 10}) for _ in range(10)]
    await asyncio.gather(*(nodes[i % 2].submit(command) for i, command in enumerate(commands)))
    assert await versions(world, commands[0]) == list(range(1, 11))
    assert await balance(world, commands[0]) == 100


async def test_a_decision_on_a_stale_cache_is_made_again(world: World) -> None:
    one, two = await world.node(), await world.node()
    command = deposit(100)
    await one.submit(command)
    await two.submit(on(command, {"type": "withdraw", "amount": 100}))
    with pytest.raises(Rejected) as caught:
        await one.submit(on(command, {"type": "withdraw", "amount": 50}))
    assert caught.value.rejection_details == b'{"balance":0}'
    assert world.records[-1].retries == 1


async def test_a_stale_cache_never_answers_a_read(world: World) -> None:
    one, two = await world.node(), await world.node()
    command = deposit(100)
    await one.submit(command)
    await two.submit(on(command, {"type": "deposit", "amount": 11}))
    state = await one.get(command.tenant_id, command.aggregate_type, command.aggregate_id)
    assert (state.state.value, state.version) == ({"balance": 111}, 2)


async def test_a_lost_answer_is_found_in_the_log(world: World) -> None:
    node = await world.node()
    command = deposit(5)
    lost = itertools.chain([True], itertools.repeat(False))

    async def lose_answer(key: AggregateKey) -> None:
        if next(lost):
            raise OutcomeUnknown(command.command_id, "connection lost")

    world.stream.after_append = lose_answer
    receipt = await node.submit(command)
    assert (receipt.version, len(await world.commits(command))) == (1, 1)


async def test_a_lost_message_is_sent_again(world: World) -> None:
    node = await world.node()
    command = deposit(5)
    lost = itertools.chain([True, True, True, True], itertools.repeat(False))

    async def lose_message(key: AggregateKey) -> None:
        if next(lost):
            raise OutcomeUnknown(command.command_id, "connection lost")

    world.stream.before_append = lose_message
    receipt = await node.submit(command)
    assert (receipt.version, len(await world.commits(command))) == (1, 1)


async def test_a_lost_message_overtaken_by_another_node_is_decided_again(world: World) -> None:
    one, two = await world.node(), await world.node()
    command = deposit(5)
    await one.submit(command)
    late = on(command, {"type": "deposit", "amount": 7})
    lost = itertools.chain([True], itertools.repeat(False))

    async def overtake(key: AggregateKey) -> None:
        if next(lost):
            world.stream.before_append = None
            await two.submit(on(command, {"type": "deposit", "amount": 100}))
            raise OutcomeUnknown(late.command_id, "connection lost")

    world.stream.before_append = overtake
    receipt = await one.submit(late)
    assert receipt.version == 3
    assert await balance(world, command) == 112


async def test_an_unknown_outcome_at_the_deadline_says_so_and_a_retry_tells(world: World) -> None:
    node = await world.node(command_timeout=0.05)
    command = deposit(5)
    lost = asyncio.Event()

    async def lose_answer(key: AggregateKey) -> None:
        if not lost.is_set():
            world.stream.connected = False
            raise OutcomeUnknown(command.command_id, "connection lost")

    world.stream.after_append = lose_answer
    with pytest.raises(OutcomeUnknown) as caught:
        await node.submit(command)
    assert (caught.value.status, caught.value.reason, caught.value.details["command_id"]) == (
        "UNAVAILABLE",
        "outcome_unknown",
        command.command_id,
    )
    lost.set()
    world.stream.connected = True
    again = await (await world.node()).submit(command)
    assert (again.duplicate, again.version) == (True, 1)
    assert await node.drain(10.0)
    assert len(await world.commits(command)) == 1


async def test_a_caller_that_goes_before_the_append_takes_its_command_back(world: World) -> None:
    gate = asyncio.Event()

    async def hold(key: AggregateKey) -> None:
        await gate.wait()

    node = await world.node()
    command = deposit(5)
    await node.submit(command)
    world.stream.before_append = hold
    first = asyncio.create_task(node.submit(on(command, {"type": "deposit", "amount": 1})))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(node.submit(on(command, {"type": "deposit", "amount": 100})))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert (await first).version == 2
    assert await node.drain(5.0)
    assert await balance(world, command) == 6


async def test_a_caller_that_goes_during_the_append_leaves_a_whole_command_behind(world: World) -> None:
    gate = asyncio.Event()

    async def hold(key: AggregateKey) -> None:
        await gate.wait()

    node = await world.node()
    command = deposit(5)
    world.stream.before_append = hold
    task = asyncio.create_task(node.submit(command))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert node.in_flight == 0
    gate.set()
    assert await node.drain(5.0)
    assert (await (await world.node()).submit(command)).duplicate
    assert len(await world.commits(command)) == 1


async def test_a_group_that_is_too_large_for_one_message_is_split(world: World) -> None:
    world.stream._max_payload = 12_000
    node = await world.node()
    command = Command.new_test({"type": "deposit", "amount": 1})
    await node.submit(command)
    padded = [on(command, {"type": "deposit", "amount": 1, "note": "x" * 500}) for _ in range(20)]
    await asyncio.gather(*(node.submit(each) for each in padded))
    assert await versions(world, command) == list(range(1, 22))


async def test_one_command_too_large_is_refused_and_the_others_are_not(world: World) -> None:
    world.stream._max_payload = 12_000
    node = await world.node()
    command = Command.new_test({"type": "deposit", "amount": 1})
    await node.submit(command)
    huge = on(command, {"type": "deposit", "amount": 1, "note": "x" * 20_000})
    answers = await asyncio.gather(
        node.submit(on(command, {"type": "deposit", "amount": 2})),
        node.submit(huge),
        node.submit(on(command, {"type": "deposit", "amount": 4})),
        return_exceptions=True,
    )
    assert [getattr(answer, "code", "ok") for answer in answers] == ["ok", "too_large", "ok"]
    assert await balance(world, command) == 7


async def test_a_disconnected_log_is_unavailable_and_nothing_is_stored(world: World) -> None:
    node = await world.node()
    command = deposit()
    await node.submit(command)
    world.stream.connected = False
    with pytest.raises(Unavailable):
        await node.submit(on(command, {"type": "deposit", "amount": 1}))
    world.stream.connected = True
    assert (await node.submit(on(command, {"type": "deposit", "amount": 1}))).version == 2


async def test_a_broken_snapshot_store_does_not_stop_commands(world: World) -> None:
    class Broken:
        async def get_snapshot(self, *arguments: object) -> Snapshot | None:
            raise StorageError("disk on fire")

        def put_later(self, snapshot: Snapshot) -> None:
            return

    world.storage = Broken()  # type: ignore[assignment]
    node = await world.node(cache_bytes=0)
    command = deposit(1)
    for _ in range(5):
        await node.submit(on(command, {"type": "deposit", "amount": 1}))
    assert await balance(world, command) == 5


async def test_a_snapshot_and_the_whole_log_give_the_same_state(world: World) -> None:
    node = await world.node()
    command = deposit(1)
    for amount in range(1, 9):
        await node.submit(on(command, {"type": "deposit", "amount": amount}))
    names = command.tenant_id, command.aggregate_type, command.aggregate_id
    snapshot = await world.storage.get_snapshot(command.tenant_id, command.aggregate_id)
    assert snapshot is not None
    assert snapshot.version == 6
    with_snapshot = await (await world.node()).get(*names)
    await world.storage.delete_snapshot(command.tenant_id, command.aggregate_id)
    without = await (await world.node()).get(*names)
    assert with_snapshot == without
    assert without.state.value == {"balance": 36}


async def test_a_damaged_snapshot_is_not_believed(world: World) -> None:
    node = await world.node()
    command = deposit(1)
    for _ in range(3):
        await node.submit(on(command, {"type": "deposit", "amount": 1}))
    snapshot = await world.storage.get_snapshot(command.tenant_id, command.aggregate_id)
    assert snapshot is not None
    members = snapshot.to_dict() | {"state": {"balance": 10_000}}
    await world.storage.delete_snapshot(command.tenant_id, command.aggregate_id)
    await world.storage.put_snapshot(Snapshot.from_dict(members))
    assert await balance(world, command) == 3


async def test_a_log_older_than_what_is_remembered_is_noticed(world: World) -> None:
    node = await world.node()
    command = deposit(1)
    for _ in range(3):
        await node.submit(on(command, {"type": "deposit", "amount": 1}))
    fresh = World(storage=world.storage)
    restored = await fresh.node()
    with pytest.raises(Unavailable) as caught:
        await restored.submit(on(command, {"type": "deposit", "amount": 1}))
    assert caught.value.reason == "log_older"
    assert await world.storage.get_snapshot(command.tenant_id, command.aggregate_id) is None, "ahead of the log for good"


async def test_a_node_with_an_older_program_does_not_decide(world: World) -> None:
    old = 'def decide(state, command):\n    return [event("a")]\ndef apply(state, event):\n    return {"n": 1}\n'
    new = old.replace('{"n": 1}', '{"n": 2}')
    outdated = await world.node({"Account": old})
    updated = await world.node({"Account": new})
    command = Command.new_test({"type": "go"})
    await updated.submit(command)
    with pytest.raises(Unavailable) as caught:
        await outdated.submit(on(command, {"type": "go"}))
    assert caught.value.reason == "outdated_program"
    assert (await updated.submit(on(command, {"type": "go"}))).version == 2


async def test_a_retry_an_hour_and_five_thousand_commands_later_returns_the_original() -> None:
    from aggregate.testing import MemoryStream

    now = [1_700_000_000.0]
    world = World(MemoryStream(clock=lambda: now[0]))
    node = await world.node(snapshot_threshold=100)
    members = account()

    def command_at(tail: int) -> Command:
        made = f"{int(now[0] * 1000):012x}"
        name = f"{made[:8]}-{made[8:]}-7000-8000-{tail:012x}"
        return Command(**members, payload={"type": "deposit", "amount": 1}, command_id=name)  # type: ignore[arg-type]

    first = command_at(0)
    original = await node.submit(first)
    for number in range(1, 5001):
        now[0] += 0.72
        await node.submit(command_at(number))
    for other in (node, await world.node()):
        again = await other.submit(first)
        assert again.duplicate
        assert again.events == original.events
    assert (await node.get(first.tenant_id, first.aggregate_type, first.aggregate_id)).state.value == {"balance": 5001}


@pytest.mark.parametrize("seed", range(6))
async def test_random_faults_lose_nothing_and_double_nothing(world: World, seed: int) -> None:
    """Two nodes, four accounts, answers and messages lost at random; every command is retried until it is answered."""
    rng = random.Random(seed)
    nodes = [await world.node(max_retries=100), await world.node(max_retries=100)]
    accounts = [AggregateId.new_v7() for _ in range(4)]

    async def lose(key: AggregateKey) -> None:
        await asyncio.sleep(0)
        if rng.random() < 0.15:
            raise OutcomeUnknown("?", "lost")

    world.stream.before_append = lose
    world.stream.after_append = lose
    acknowledged: dict[str, AggregateId] = {}

    async def client() -> None:
        for _ in range(6):
            command = Command(TenantId("t"), AggregateType("Account"), rng.choice(accounts), {"type": "deposit", "amount": 1})  # type: ignore[arg-type]
            while command.command_id not in acknowledged:
                try:
                    await nodes[rng.randrange(2)].submit(command)
                    acknowledged[command.command_id] = command.aggregate_id
                except (OutcomeUnknown, Unavailable):
                    await asyncio.sleep(0)

    await asyncio.gather(*(client() for _ in range(8)))
    world.stream.before_append = world.stream.after_append = None
    for name in accounts:
        probe = Command(TenantId("t"), AggregateType("Account"), name, {"type": "touch"})  # type: ignore[arg-type]
        commits = await world.commits(probe)
        ids = [commit.command_id for commit in commits]
        assert sorted(ids) == sorted(each for each, where in acknowledged.items() if where == name)
        assert await versions(world, probe) == list(range(1, len(ids) + 1))
