"""The judge of a campaign: the log and what every client was told, as values in; everything that contradicts a promise out.

It knows nothing of the project but its promises (invariants 1, 2, 3, 5 and 9 of `ARCHITECTURE.md`) and the model of the programs: each
commit in the log must be what the model decides on the state that the commits before it leave, and each answer must be what its commit
says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from .history import Answer, History, Key, Kind, LoggedCommit, LoggedMessage, Read, Told
from .model import Decision, State, apply, decide


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: which one, and what shows it."""

    promise: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


@dataclass(frozen=True, slots=True)
class Placed:
    """A commit and where it stands: `place` orders the commits of the log."""

    commit: LoggedCommit
    key: Key
    place: tuple[int, int]


def check(messages: Sequence[LoggedMessage], history: History) -> list[Violation]:
    """All that is wrong."""
    commits = _by_aggregate(messages)
    told = {each.command_id: each for each in history.told}
    states: dict[Key, list[State]] = {}
    found = [*_subjects(messages), *_owners(messages, commits), *_twins(commits)]
    if history.lasting_refusals:
        found += _batches(messages)
    for key, placed in commits.items():
        states[key] = [None]
        found += _versions(key, placed)
        found += _decisions(key, placed, told, states[key])
        found += _real_time(key, placed, told, _final(history))
    by_id = {each.commit.command_id: each for placed in commits.values() for each in placed}
    for each in history.told:
        found += _answers(each, by_id.get(each.command_id), _final(history))
    return [*found, *_reads(history, commits, states), *_followed(messages, history)]


def _final(history: History) -> frozenset[Kind]:
    """The answers that cannot be followed by another one."""
    return frozenset({Kind.ACCEPTED, Kind.REFUSED} if history.lasting_refusals else {Kind.ACCEPTED})


def _by_aggregate(messages: Iterable[LoggedMessage]) -> dict[Key, list[Placed]]:
    found: dict[Key, list[Placed]] = defaultdict(list)
    for message in messages:
        if message.owner is None and message.key is not None:
            found[message.key] += [Placed(commit, message.key, (message.sequence, i)) for i, commit in enumerate(message.commits)]
    return found


def _subjects(messages: Iterable[LoggedMessage]) -> Iterator[Violation]:
    """A message stands on the subject of the tenant and aggregate that it names."""
    for message in messages:
        if message.owner is None and (message.key is None or message.subject != message.key.subject):
            yield Violation("tenants apart", f"message {message.sequence} of {message.key} stands on {message.subject}")


def _owners(messages: Iterable[LoggedMessage], commits: Mapping[Key, Sequence[Placed]]) -> Iterator[Violation]:
    """An aggregate id has one owner, from its first accepted commit on, and no commits with events of anybody else."""
    owners: dict[str, str] = {}
    for message in messages:
        if message.owner is not None and message.key is not None:
            if message.key.id in owners:
                yield Violation("one owner", f"{message.key.id} is given to {owners[message.key.id]} and to {message.owner}")
            owners[message.key.id] = message.owner
    for key, placed in commits.items():
        if any(each.commit.refused is None for each in placed) and owners.get(key.id) != key.tenant:
            yield Violation("one owner", f"{key} has commits and its id belongs to {owners.get(key.id)}")


def batches(messages: Iterable[LoggedMessage]) -> dict[str, list[LoggedMessage]]:
    """The messages that went out as one, by the batch's id."""
    found: dict[str, list[LoggedMessage]] = defaultdict(list)
    for message in messages:
        if "Nats-Batch-Id" in message.headers:
            found[message.headers["Nats-Batch-Id"]].append(message)
    return found


def _batches(messages: Iterable[LoggedMessage]) -> Iterator[Violation]:
    """A batch stands as a whole, one message behind the other."""
    for name, members in batches(messages).items():
        first = members[0].sequence
        if [message.sequence for message in members] != list(range(first, first + len(members))):
            yield Violation("whole batches", f"batch {name} is spread over {[message.sequence for message in members]}")
        numbers = [int(message.headers["Nats-Batch-Sequence"]) for message in members]
        if numbers != list(range(1, len(members) + 1)) or "Nats-Batch-Commit" not in members[-1].headers:
            yield Violation("whole batches", f"batch {name} has the members {numbers} at {first}")


def _twins(commits: Mapping[Key, Sequence[Placed]]) -> Iterator[Violation]:
    """A command is in the log once."""
    first: dict[str, Placed] = {}
    for placed in commits.values():
        for each in placed:
            other = first.setdefault(each.commit.command_id, each)
            if other is not each:
                yield Violation("once", f"command {each.commit.command_id} stands at {other.place} and at {each.place} of {each.key}")


def _versions(key: Key, placed: Sequence[Placed]) -> Iterator[Violation]:
    """1, 2, 3, ... without gap or twin; times never go back."""
    version, time = 0, ""
    for each in placed:
        if each.commit.first_version != version + 1:
            yield Violation("versions", f"{key} has version {each.commit.first_version} at {each.place} after {version}")
        version = max(version, each.commit.last_version)
        if each.commit.time < time:
            yield Violation("time", f"{key} goes from {time} back to {each.commit.time} at {each.place}")
        time = each.commit.time


def _decisions(key: Key, placed: Sequence[Placed], told: Mapping[str, Told], states: list[State]) -> Iterator[Violation]:
    """Each commit is of a command that somebody sent, and what the model decides on the state before it. Fills `states` by version."""
    state: State = None
    for each in placed:
        commit = each.commit
        sent = told.get(commit.command_id)
        if sent is None or sent.key != key or sent.foreign:
            yield Violation("asked for", f"nobody sent {commit.command_id}, which stands at {each.place} of {key}")
        elif commit.command is not None and commit.command != sent.payload:
            yield Violation("asked for", f"{commit.command_id} was {sent.payload} and is kept as {commit.command}")
        else:
            expected = _model_decision(sent, state, commit.first_version - 1)
            if not _same_decision(commit, expected):
                yield Violation("newest state", f"{commit} at {each.place} of {key}: the model says {expected} on {state}")
        for event in commit.events:
            state = apply(key.type, state, event.payload)
            states.append(state)


def _model_decision(sent: Told, state: State, version: int) -> Decision:
    if sent.expected_version is not None and sent.expected_version != version:
        return Decision(refused="version_conflict", details={"expected": sent.expected_version, "actual": version})
    return decide(sent.key.type, state, sent.payload)


def _same_decision(commit: LoggedCommit, expected: Decision) -> bool:
    if commit.refused is not None:
        return not commit.events and (commit.refused.code, commit.refused.details) == (expected.refused, expected.details)
    return not expected.refused and tuple(event.payload for event in commit.events) == expected.events


def _real_time(key: Key, placed: Sequence[Placed], told: Mapping[str, Told], final: frozenset[Kind]) -> Iterator[Violation]:
    """What was answered before another command was sent stands before it."""
    latest, whose = 0.0, ""
    for each in placed:
        sent = told.get(each.commit.command_id)
        if sent is None or not sent.answers:
            continue
        heard = min((answer.heard for answer in sent.answers if answer.kind in final), default=None)
        if heard is not None and heard < latest:
            what = f"{each.commit.command_id} of {key} was answered before {whose} was sent, and stands after it"
            yield Violation("in order", what)
        if sent.answers[0].sent > latest:
            latest, whose = sent.answers[0].sent, each.commit.command_id


def _answers(told: Told, placed: Placed | None, final: frozenset[Kind]) -> Iterator[Violation]:
    """Every answer says what the log says."""
    name = f"{told.command_id} ({told.payload}) of {told.key}"
    for number, answer in enumerate(told.answers):
        problem = _contradiction(told, number, answer, placed, final)
        if problem is not None:
            yield Violation(problem[0], f"{name}, answer {number + 1} of {len(told.answers)}: {problem[1]}; the log has {placed}")


def _contradiction(told: Told, number: int, answer: Answer, placed: Placed | None, final: frozenset[Kind]) -> tuple[str, str] | None:
    if answer.kind is Kind.UNEXPECTED:
        return "expected answers", f"{answer.code}: {answer.message}"
    if told.foreign:
        if answer.kind in {Kind.DENIED, Kind.UNRESOLVED, Kind.NOT_STORED}:
            return None
        return "tenants apart", f"another tenant's aggregate answered {answer}"
    if answer.kind is Kind.DENIED:
        return "tenants apart", "the owner was denied"
    if answer.kind is Kind.ACCEPTED:
        return _accepted(told, number, answer, placed, final)
    if answer.kind is Kind.REFUSED and answer.kind in final:
        return _refused(answer, placed)
    if answer.kind is Kind.REUSED:
        return None if placed is not None and answer.payload != told.payload else ("same id", "told that its id was used otherwise")
    if answer.kind is Kind.NOT_STORED and len(told.answers) == 1 and placed is not None:
        return "nothing stored", f"told so ({answer.code}), and it stands"
    return None


def _accepted(told: Told, number: int, answer: Answer, placed: Placed | None, final: frozenset[Kind]) -> tuple[str, str] | None:
    if placed is None or placed.key != told.key:
        return "kept", "acknowledged and lost"
    if placed.commit.refused is not None:
        return "one outcome", "accepted by the answer, refused in the log"
    if answer.payload != told.payload:
        return "same id", "another payload under a used id was accepted"
    if answer.key != told.key:
        return "tenants apart", f"the answer is of {answer.key}"
    if answer.version != placed.commit.last_version or answer.events != placed.commit.events:
        return "answers", f"it says version {answer.version} and {answer.events}"
    if answer.duplicate and number == 0:
        return "answers", "a first attempt was told that it was a duplicate"
    if not answer.duplicate and any(before.kind in final for before in told.answers[:number]):
        return "answers", "a retry of what was answered was told that it was new"
    return None


def _refused(answer: Answer, placed: Placed | None) -> tuple[str, str] | None:
    if placed is None and answer.code == "version_conflict":
        return None  # others kept writing until the node gave up: nothing was decided
    if placed is None or placed.commit.refused is None:
        return "fences", "refused, and no commit says so"
    refusal = placed.commit.refused
    if (answer.code, answer.details) != (refusal.code, refusal.details):
        return "answers", f"it says {answer.code} {answer.details}"
    return None


def _reads(history: History, commits: Mapping[Key, Sequence[Placed]], states: Mapping[Key, Sequence[State]]) -> Iterator[Violation]:
    """A read gives a state that was there, and one that is not older than what was answered before it was asked for."""
    acknowledged: dict[Key, list[tuple[float, int]]] = defaultdict(list)
    for told in history.told:
        heard = [(answer.heard, answer.version) for answer in told.answers if answer.kind is Kind.ACCEPTED]
        acknowledged[told.key] += heard
    for read in history.reads:
        acknowledged[read.key].append((read.heard, read.version))
    for read in history.reads:
        yield from _read(read, states.get(read.key, (None,)), acknowledged[read.key])


def _followed(messages: Sequence[LoggedMessage], history: History) -> Iterator[Violation]:
    """A subscription from the beginning gives the tenant's events, all of them up to where it is, in the order of the log, once."""
    for tenant, given in history.followed.items():
        mine = [message for message in messages if message.owner is None and message.key is not None and message.key.tenant == tenant]
        logged = [(message.key, event) for message in mine for commit in message.commits for event in commit.events]
        for number, (one, other) in enumerate(zip_longest(given, logged[: len(given)])):
            if one != other:
                yield Violation("subscriptions", f"{tenant} was given {one} as number {number + 1}, the log has {other}")
                break


def _read(read: Read, states: Sequence[State], acknowledged: Sequence[tuple[float, int]]) -> Iterator[Violation]:
    if read.version >= len(states) or states[read.version] != read.state:
        actual = states[read.version] if read.version < len(states) else "nothing"
        yield Violation("reads", f"{read.key} at version {read.version} was read as {read.state}, the log says {actual}")
    newest = max((version for heard, version in acknowledged if heard < read.asked), default=0)
    if read.version < newest:
        yield Violation("fresh reads", f"{read.key} was read at version {read.version} after version {newest} had been answered")
