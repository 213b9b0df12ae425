"""Replaying: a sound log comes out as it stands, planted damage is found where it is, another program's changes are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aggregate.config import AggregateManifest
from aggregate.errors import AggregateError, ConfigError, Rejected, Unavailable, VersionConflict
from aggregate.handler import AggregateHandler
from aggregate.handler.findings import Finding, Kind, Replayed, Tally
from aggregate.handler.history import single_commits
from aggregate.handler.replay import Replay, each, select
from aggregate.handler.what_if import WhatIf, another_program, unequal_parts
from aggregate.runtime import RuntimeExecutor
from aggregate.stream.codec import decode_message, encode_body
from aggregate.stream.subjects import subject_of
from aggregate.testing import LENIENT_BANK
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, Commit, Document, Event, Refusal, TenantId
from tests.handler.conftest import World, deposit, on

FEES = LENIENT_BANK.replace("balance_of(state) - event.amount", "balance_of(state) - event.amount - 1")
STRICT = LENIENT_BANK.replace("if command.amount <= 0:", "if command.amount <= 0 or command.amount > 50:")
CLOCKED = """\
def decide(state, command, ctx):
    return [event("noted", at = ctx.time, who = ctx.metadata.get("who", "nobody"), version = ctx.version, id = ctx.command_id)]

def apply(state, event, meta):
    return {"last": meta.event_id, "at": meta.time, "count": meta.version}
"""


def key_of(command: Command) -> AggregateKey:
    return AggregateKey(command.tenant_id, command.aggregate_type, command.aggregate_id)


def replaying(world: World, source: str = LENIENT_BANK, *, snapshots: bool = True, decisions: bool = True) -> Replay:
    executor = RuntimeExecutor()
    programs = executor.load(AggregateManifest.of_sources({"Account": source}))
    return Replay(world.stream, programs, executor, world.storage if snapshots else None, decisions=decisions)


def what_if(world: World, new: str, *, decisions: bool = True) -> WhatIf:
    executor = RuntimeExecutor()
    now = executor.load(AggregateManifest.of_sources({"Account": LENIENT_BANK})).only()
    return WhatIf(world.stream, now, another_program(executor, now, new, "new.agl"), decisions=decisions)


def rewrite(world: World, key: AggregateKey, place: int, change: Callable[[Commit], Commit]) -> int:
    """Change the first commit of an aggregate's message in the log; its sequence."""
    messages = world.stream._by_subject[subject_of(key)]
    stored = messages[place]
    message = decode_message(stored)
    commits = (change(message.commits[0]), *message.commits[1:])
    damaged = replace(stored, body=encode_body(replace(message, commits=commits)))
    messages[place] = world.stream._messages[stored.sequence] = damaged
    return stored.sequence


async def play(node: AggregateHandler, first: Command, *payloads: dict[str, Any]) -> AggregateKey:
    """A command and more for its aggregate; refusals are part of the game."""
    for command in (first, *(on(first, payload) for payload in payloads)):
        try:
            await node.submit(command)
        except (Rejected, AggregateError):
            continue
    return key_of(first)


def withdraw(amount: int) -> dict[str, Any]:
    return {"type": "withdraw", "amount": amount}


async def test_a_sound_log_comes_out_as_it_stands(world: World) -> None:
    node = await world.node(definition={"gas_decide": 3000}, snapshot_threshold=2)
    key = await play(
        node, deposit(100), withdraw(30), withdraw(1000), {"type": "touch"}, {"type": "deposit"}, {"type": "burn", "amount": 5000}
    )
    with pytest.raises(VersionConflict):
        await node.submit(Command(*key_fields(key), payload=Document.of(withdraw(1)), expected_version=9))
    kinds = {commit.refused.kind for commit in await world.commits(Command.new_test(aggregate_id=key.aggregate_id)) if commit.refused}
    assert kinds == {"rejected", "decide_error", "version_conflict"}
    replayed = await replaying(world).aggregate(key)
    assert replayed == Replayed(key, 2, replayed.state_hash, commits=7, decided=7, snapshot=2)
    assert replayed.state_hash == (await node.get(*key_fields(key))).state_hash


def key_fields(key: AggregateKey) -> tuple[TenantId, AggregateType, AggregateId]:
    return key.tenant_id, key.aggregate_type, key.aggregate_id


async def test_time_metadata_and_ids_are_those_of_the_first_decision(world: World) -> None:
    node = await world.node({"Account": CLOCKED})
    first = Command.new_test({"type": "note"}, metadata={"who": "ann"})
    key = await play(node, first, {"type": "note"})
    replayed = await replaying(world, CLOCKED).aggregate(key)
    assert (replayed.findings, replayed.decided, replayed.version) == ((), 2, 2)


async def test_commits_that_were_appended_together_are_replayed_one_by_one(world: World) -> None:
    first = deposit(10)
    key, node = key_of(first), await world.node()
    await play(node, first, {"type": "deposit", "amount": 5}, withdraw(100))
    messages = [decode_message(stored) for stored in await world.stream.read(key, after=0, upto=99)]
    together = replace(messages[0], commits=tuple(commit for message in messages for commit in message.commits))
    assert [commit for commit, _ in single_commits(together, b"")] == list(together.commits)
    other = World()
    await other.stream.register_program("Account", together.program, "agl-1", LENIENT_BANK)
    await other.stream.append(key, encode_body(together), {"Nats-Msg-Id": first.command_id}, expected=0)
    replayed = await replaying(other).aggregate(key)
    assert (replayed.findings, replayed.commits, replayed.decided, replayed.version) == ((), 3, 3, 2)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lambda commit: replace(commit, gas=commit.gas + 1), ["gas"]),
        (lambda commit: replace(commit, payload_hash="0" * 64), ["command"]),
        (lambda commit: replace(commit, metadata={"who": "eve"}), []),
        (lambda commit: replace(commit, command=b'{"amount":11,"type":"deposit"}'), ["command", "events"]),
        (lambda commit: replace(commit, command=b'{"amount":0,"type":"deposit"}'), ["command", "refused_now"]),
        (lambda commit: replace(commit, time="2020-01-01T00:00:00.000Z"), ["event_ids"]),
        (lambda commit: replace(commit, command=None), []),
        (lambda commit: replace(commit, command=b"7"), ["command", "refused_now"]),
    ],
)
async def test_what_was_changed_in_the_log_is_found(world: World, change: Callable[[Commit], Commit], kinds: list[str]) -> None:
    key = await play(await world.node(), deposit(10), {"type": "deposit", "amount": 5})
    sequence = rewrite(world, key, 0, change)
    replayed = await replaying(world).aggregate(key)
    assert [finding.kind for finding in replayed.findings] == kinds
    assert {(finding.sequence, finding.version) for finding in replayed.findings} <= {(sequence, 0)}


async def test_a_finding_says_what_stands_there_and_what_came(world: World) -> None:
    key = await play(await world.node(), deposit(10))
    (commit,) = await world.commits(Command.new_test(aggregate_id=key.aggregate_id))
    sequence = rewrite(world, key, 0, lambda commit: replace(commit, gas=7))
    (finding,) = (await replaying(world).aggregate(key)).findings
    assert finding == Finding(Kind.GAS, 0, sequence, commit.command_id, "7", str(commit.gas))


async def test_another_refusal_is_found(world: World) -> None:
    node = await world.node()
    key = await play(node, deposit(10), withdraw(99))
    rewrite(world, key, 1, lambda commit: replace(commit, refused=Refusal("rejected", "no", "no", b"{}")))
    (finding,) = (await replaying(world).aggregate(key)).findings
    assert (finding.kind, finding.version) == (Kind.REFUSAL, 1)
    assert finding.stored == "refused rejected no: no"
    assert finding.replayed == 'refused rejected insufficient_funds: insufficient funds {"balance":10}'
    assert not (await replaying(world, decisions=False).aggregate(key)).findings


async def test_a_refusal_that_would_be_accepted_is_found(world: World) -> None:
    key = await play(await world.node(), deposit(10), withdraw(99))
    rewrite(world, key, 1, lambda commit: replace(commit, command=b'{"amount":9,"type":"withdraw"}'))
    findings = (await replaying(world).aggregate(key)).findings
    assert [finding.kind for finding in findings] == [Kind.COMMAND, Kind.ACCEPTED_NOW]
    assert findings[1].replayed == 'accepted [{"amount":9,"type":"withdrawn"}]'


async def test_a_gap_and_damage_end_the_fold_at_their_place(world: World) -> None:
    key = await play(await world.node(snapshot_threshold=100), deposit(10), {"type": "deposit", "amount": 5}, withdraw(1))
    sequence = rewrite(world, key, 1, lambda commit: replace(commit, first_version=3))
    replayed = await replaying(world).aggregate(key)
    assert [(finding.kind, finding.version, finding.sequence) for finding in replayed.findings] == [(Kind.FOLD, 1, sequence)]
    assert replayed.version == 1
    messages = world.stream._by_subject[subject_of(key)]
    messages[2] = replace(messages[2], body=messages[2].body[:-9])
    assert [finding.kind for finding in (await replaying(world).aggregate(key)).findings] == [Kind.FOLD, Kind.LOG]


async def test_each_decision_is_held_against_the_program_that_made_it(world: World) -> None:
    first = deposit(10)
    key = await play(await world.node(), first)
    charging = await world.node({"Account": LENIENT_BANK.replace("amount = command.amount)]", "amount = command.amount * 2)]")})
    await charging.submit(on(first, {"type": "deposit", "amount": 5}))
    await (await world.node()).submit(on(first, withdraw(1)))  # back to the program before
    replayed = await replaying(world).aggregate(key)
    assert (replayed.findings, replayed.decided, replayed.version) == ((), 3, 3)
    world.stream._sources.popitem()
    (finding,) = (await replaying(world).aggregate(key)).findings
    assert (finding.kind, finding.version, finding.replayed) == (Kind.PROGRAM, 1, "its source is not in the log")
    digest = decode_message(world.stream._by_subject[subject_of(key)][1]).program
    for source, words in ((LENIENT_BANK, "of another program"), ("def", "does not compile")):
        world.stream._sources[digest] = ("agl-1", source)
        (finding,) = (await replaying(world).aggregate(key)).findings
        assert words in finding.replayed


async def test_events_that_no_program_decided_are_folded_only(world: World) -> None:
    event = Event.new_test(payload={"type": "deposited", "amount": 50}, version=1)
    await world.stream.publish_events([event])
    replayed = await replaying(world).aggregate(AggregateKey(event.tenant_id, event.aggregate_type, event.aggregate_id))
    assert (replayed.findings, replayed.commits, replayed.decided, replayed.version) == ((), 1, 0, 1)


async def test_a_snapshot_of_something_else_is_found(world: World) -> None:
    node = await world.node(snapshot_threshold=2)
    key = await play(node, deposit(10), withdraw(3), withdraw(1))
    kept = world.storage._snapshots[key]
    right = kept[-1]
    kept[-1] = replace(right, state=Document(b'{"balance":8}'))
    (finding,) = (await replaying(world).aggregate(key)).findings
    assert (finding.kind, finding.version, finding.replayed) == (Kind.SNAPSHOT, 2, right.state_hash)
    kept[-1] = replace(right, state_hash="ab" * 32)
    (finding,) = (await replaying(world).aggregate(key)).findings
    assert finding.stored == "ab" * 32
    assert not (await replaying(world, snapshots=False).aggregate(key)).findings
    kept[-1] = replace(right, version=7)
    (finding,) = (await replaying(world).aggregate(key)).findings
    assert "ends at 3" in finding.replayed


async def test_a_type_without_program_cannot_be_called_sound(world: World) -> None:
    key = AggregateKey(TenantId("a"), AggregateType("Ghost"), AggregateId.new_v7())
    assert [finding.kind for finding in (await replaying(world).aggregate(key)).findings] == [Kind.PROGRAM]


async def test_everything_a_tenant_has_or_one_type_can_be_selected(world: World) -> None:
    node = await world.node()
    for number in range(40):
        await node.submit(deposit(number + 1, tenant_id=("a", "b")[number % 2]))
    replay, tally = replaying(world), Tally()
    totals: set[int] = set()

    async def keys() -> Any:
        async for key, total in select(world.stream, tenant_id=TenantId("a"), aggregate_type=None, aggregate_id=None):
            totals.add(total)
            yield key

    found = [replayed async for replayed in each(keys(), replay.aggregate, at_once=3)]
    for replayed in found:
        tally.add(replayed)
    assert totals == {20}
    assert {replayed.key.tenant_id for replayed in found} == {"a"}
    assert [replayed.key for replayed in found] == sorted(replayed.key for replayed in found)
    assert (tally.aggregates, tally.commits, tally.decided, tally.concerned) == (20, 20, 20, 0)


async def test_the_same_program_would_change_nothing(world: World) -> None:
    key = await play(await world.node(), deposit(10), withdraw(30), {"type": "deposit"})
    replayed = await what_if(world, "# the same\n" + LENIENT_BANK).aggregate(key)
    assert (replayed.findings, replayed.decided, replayed.version) == ((), 3, 1)


async def test_what_a_new_apply_would_change_in_states_and_decisions(world: World) -> None:
    key = await play(await world.node(), deposit(10), withdraw(3), withdraw(7))
    findings = (await what_if(world, FEES).aggregate(key)).findings
    assert [(finding.kind, finding.version) for finding in findings] == [(Kind.REFUSED_NOW, 2), (Kind.STATE, 3)]
    assert findings[0].stored == 'accepted [{"amount":7,"type":"withdrawn"}]'
    assert findings[0].replayed == 'refused rejected insufficient_funds: insufficient funds {"balance":6}'
    assert (findings[1].stored, findings[1].replayed) == ('{"balance":0}', '{"balance":-2}')
    assert [finding.kind for finding in (await what_if(world, FEES, decisions=False).aggregate(key)).findings] == [Kind.STATE]


async def test_what_a_new_decide_would_change_in_decisions(world: World) -> None:
    key = await play(await world.node(), deposit(60), withdraw(99), {"type": "deposit", "amount": 50})
    findings = (await what_if(world, STRICT).aggregate(key)).findings
    assert [(finding.kind, finding.version) for finding in findings] == [(Kind.REFUSED_NOW, 0)]
    generous = LENIENT_BANK.replace("command.amount > balance_of(state)", "command.amount > 1000")
    findings = (await what_if(world, generous).aggregate(key)).findings
    assert [(finding.kind, finding.version) for finding in findings] == [(Kind.ACCEPTED_NOW, 1)]
    wordy = LENIENT_BANK.replace('reject("insufficient funds"', 'reject("not enough"').replace(
        '"deposited", amount', '"deposited", by = "new", amount'
    )
    assert [finding.kind for finding in (await what_if(world, wordy).aggregate(key)).findings] == [Kind.EVENTS, Kind.REFUSAL, Kind.EVENTS]


async def test_a_program_that_cannot_fold_the_past_is_told_of_with_the_place(world: World) -> None:
    key = await play(await world.node(), deposit(60), withdraw(5))
    broken = LENIENT_BANK.replace('{"balance": balance_of(state) - event.amount}', '{"balance": state.nothing}')
    replayed = await what_if(world, broken).aggregate(key)
    assert [(finding.kind, finding.version) for finding in replayed.findings] == [(Kind.REFUSED_NOW, 1), (Kind.FOLD, 1)]
    assert "cannot be folded beyond version 1" in replayed.findings[1].replayed
    assert replayed.state_hash == ""


async def test_a_program_that_mends_the_past_is_told_of_as_well(world: World) -> None:
    executor = RuntimeExecutor()
    key = await play(await world.node(), deposit(60), withdraw(5))
    broken = LENIENT_BANK.replace('{"balance": balance_of(state) - event.amount}', '{"balance": state.nothing}')
    now = executor.load(AggregateManifest.of_sources({"Account": broken})).only()
    good = another_program(executor, now, LENIENT_BANK, "new.agl")
    (finding,) = (await WhatIf(world.stream, now, good).aggregate(key)).findings
    assert (finding.kind, finding.replayed) == (Kind.STATE, '{"balance":55}')
    assert "cannot be folded" in finding.stored
    (finding,) = (await WhatIf(world.stream, now, another_program(executor, now, broken + "\n", "x")).aggregate(key)).findings[-1:]
    assert finding.kind is Kind.REFUSED_NOW  # what neither can fold is no change


async def test_damage_in_the_log_ends_a_comparison(world: World) -> None:
    key = await play(await world.node(), deposit(60), withdraw(5))
    messages = world.stream._by_subject[subject_of(key)]
    messages[1] = replace(messages[1], body=b"{}")
    assert [finding.kind for finding in (await what_if(world, FEES).aggregate(key)).findings] == [Kind.LOG]


async def test_replaying_writes_nothing(world: World) -> None:
    key = await play(await world.node(), deposit(60), withdraw(5))
    before = (
        dict(world.stream._messages),
        {name: list(kept) for name, kept in world.storage._snapshots.items()},
        dict(world.stream._sources),
    )
    await replaying(world).aggregate(key)
    await what_if(world, FEES).aggregate(key)
    assert before == (world.stream._messages, world.storage._snapshots, world.stream._sources)


@pytest.mark.parametrize(
    ("source", "words"),
    [("def decide(state", "new.agl:1:"), ("def decide(state, command):\n    return []\n", "new.agl: has no function apply")],
)
def test_a_new_program_with_mistakes_is_refused_with_their_places(source: str, words: str) -> None:
    executor = RuntimeExecutor()
    now = executor.load(AggregateManifest.of_sources({"Account": LENIENT_BANK})).only()
    with pytest.raises(ConfigError, match=words):
        another_program(executor, now, source, "new.agl")


def test_of_two_maps_only_the_unequal_members_are_shown() -> None:
    assert unequal_parts(b'{"a":1,"b":2}', b'{"a":1,"b":2.5,"c":null}') == ('{"b":2}', '{"b":2.5,"c":null}')
    assert unequal_parts(b'{"a":1}', b'{"a":1,"c":null}') == ("{}", '{"c":null}')
    assert unequal_parts(b"null", b'{"a":1}') == ("null", '{"a":1}')


async def test_a_server_that_is_behind_is_asked_again_and_any_other_trouble_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregate.handler.replay.PAUSES", (0.0, 0.0))
    key = await play(await world.node(), deposit(10))
    troubles = [Unavailable("behind", "stream_behind"), Unavailable("behind", "stream_behind")]

    async def one(asked: AggregateKey) -> Replayed:
        if troubles:
            raise troubles.pop()
        return Replayed(asked)

    async def keys() -> Any:
        yield key

    assert [replayed.key async for replayed in each(keys(), one)] == [key]
    troubles += [Unavailable("gone", "nats_disconnected")]
    with pytest.raises(Unavailable, match="gone"):
        [replayed async for replayed in each(keys(), one)]
