"""Stored commit messages onto a state: what they say of themselves is checked, then their events are applied.

The body of a message is described in ARCHITECTURE.md, Formats. Order of the checks: `docs/engine-notes.md`, 38.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aggregate.engine.pure.failure import Failure
from aggregate.engine.pure.folding import Folding, apply_all, finish
from aggregate.engine.pure.json_reader import read_part
from aggregate.engine.pure.number import I64_MAX
from aggregate.engine.pure.outcome import check_typed
from aggregate.engine.pure.results import CommitFold, State
from aggregate.engine.pure.scope import Function
from aggregate.engine.pure.value import MAPS, MAX_DEPTH, Value, shown, type_name

if TYPE_CHECKING:
    from aggregate.engine.interface import FoldExpectation

FORMAT: Final = 1
ENVELOPE: Final = 5
"""A payload is the sixth level of its message: message, commits, commit, events, event, payload."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a message, checked. `events` are pairs of event id and payload."""

    message: int
    command_id: str
    first_version: int
    time: str
    refused: bool
    events: list[tuple[str, Value]]


def fold_commits(apply: Function, state: State, messages: Sequence[bytes], expect: FoldExpectation) -> CommitFold:
    """Fold the events of the messages; the first thing wrong ends it."""
    folding = Folding(state.value)
    version, time, generation = expect.version, "", 0
    done: list[tuple[int, str, int, int, bool]] = []
    wrong: Failure | None = None
    for number, raw in enumerate(messages):
        try:
            message_generation, commits = _read_message(number, raw, version, expect)
        except Failure as failure:
            wrong = failure
            break
        generation = max(generation, message_generation)
        for commit in commits:
            _apply_commit(folding, apply, commit, expect.gas_per_event)
            if folding.failure is not None:
                break
            version += len(commit.events)
            time = commit.time
            done.append((number, commit.command_id, commit.first_version, len(commit.events), commit.refused))
        if folding.failure is not None:
            break
    result, count, error = finish(folding, state)
    if error is None and wrong is not None:
        error = wrong.record(folding.gas)
    return CommitFold(result, count, folding.gas, error, expect.version + count, time, generation, done)


def _apply_commit(folding: Folding, apply: Function, commit: Commit, gas: int) -> None:
    def meta(index: int) -> Value:
        return {
            "version": commit.first_version + index,
            "time": commit.time,
            "event_id": commit.events[index][0],
            "command_id": commit.command_id,
        }

    apply_all(folding, apply, [payload for _, payload in commit.events], gas, meta)


def _read_message(number: int, raw: bytes, version: int, expect: FoldExpectation) -> tuple[int, list[Commit]]:
    """The generation and the commits of a message; all of it is checked."""
    place = f"message {number}"
    message = read_part(raw, place, MAX_DEPTH + ENVELOPE)
    if type(message) not in MAPS:
        raise Failure("bad_input.not_map", document=place, type=type_name(message))
    assert isinstance(message, dict)
    if _integer(message, "v", place) != FORMAT:
        raise Failure("bad_input.message_format", place=place, value=shown(message["v"]))
    for member, wanted in (
        ("tenant_id", expect.tenant_id),
        ("aggregate_type", expect.aggregate_type),
        ("aggregate_id", expect.aggregate_id),
    ):
        actual = _string(message, member, place)
        if actual != wanted:
            raise Failure("bad_input.message_identity", place=place, member=member, actual=shown(actual), expected=shown(wanted))
    generation = message.get("generation")
    if type(generation) is not int or not 0 <= generation <= I64_MAX:
        raise _wrong(place, "generation", "a non-negative integer")
    commits = []
    for index, node in enumerate(_list(message, "commits", place)):
        commit = _read_commit(number, index, node, version)
        version += len(commit.events)
        commits.append(commit)
    return generation, commits


def _read_commit(number: int, index: int, node: Value, version: int) -> Commit:
    if not isinstance(node, dict):
        raise _wrong(f"message {number}", f"commits[{index}]", "a map")
    place = f"message {number}, commit {index}"
    command_id = _string(node, "command_id", place)
    first_version = _integer(node, "first_version", place)
    if first_version != version + 1:
        raise Failure("bad_input.message_version", place=place, actual=first_version, expected=version + 1)
    time = _string(node, "time", place)
    events = []
    for position, event in enumerate(_list(node, "events", place)):
        if not isinstance(event, dict):
            raise _wrong(place, f"events[{position}]", "a map")
        own_place = f"{place}, event {position}"
        event_id = _string(event, "event_id", own_place)
        payload = event.get("payload")
        if not isinstance(payload, dict):
            raise _wrong(own_place, "payload", "a map")
        check_typed(payload, own_place)
        events.append((event_id, payload))
    return Commit(number, command_id, first_version, time, node.get("refused") is not None, events)


def _string(members: dict[str, Value], member: str, place: str) -> str:
    value = members.get(member)
    if type(value) is not str:
        raise _wrong(place, member, "a string")
    return value


def _integer(members: dict[str, Value], member: str, place: str) -> int:
    value = members.get(member)
    if type(value) is not int:
        raise _wrong(place, member, "an integer")
    return value


def _list(members: dict[str, Value], member: str, place: str) -> list[Value]:
    value = members.get(member)
    if type(value) is not list:
        raise _wrong(place, member, "a list")
    return value


def _wrong(place: str, member: str, expected: str) -> Failure:
    return Failure("bad_input.message_member", place=place, member=member, expected=expected)
