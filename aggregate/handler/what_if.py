"""What another program would change: in the states of today, and in the decisions of the past. Nothing is written.

Events are facts, whatever program decided them. So the new program folds the history as it is; and each recorded command is decided again
by the new program on the state that it makes of the events before. What comes out otherwise than it stands in the log is a difference.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any

from aggregate.errors import CompileError, ConfigError, Mistake, RehydrationError, StreamError
from aggregate.handler.findings import Finding, Kind, Replayed
from aggregate.handler.history import Folded, history, single_commits
from aggregate.handler.redeciding import differences, redecide
from aggregate.runtime import RuntimeExecutor, TypeProgram
from aggregate.stream.codec import decode_message
from aggregate.stream.interface import EventLog
from aggregate.types import AggregateKey, Commit
from aggregate.types.json import canonical, parse


def another_program(executor: RuntimeExecutor, program: TypeProgram, source: str, name: str) -> TypeProgram:
    """`program` with another source, everything else as the manifest has it.

    Raises:
        ConfigError: it does not compile, or lacks `decide` or `apply`; every mistake, with `name`, line and column.
    """
    try:
        loaded = executor.program(source)
    except CompileError as error:
        places = [name if each.line is None else f"{name}:{each.line}:{each.column}" for each in error.records]
        mistakes = [Mistake(place, f"{each.code}: {each.message}") for place, each in zip(places, error.records, strict=True)]
        raise ConfigError(mistakes) from error
    lacking = [part for part, there in (("decide", loaded.has_decide), ("apply", loaded.has_apply)) if not there]
    if lacking:
        raise ConfigError([Mistake(name, f"has no function {part}") for part in lacking])
    return replace(program, program=loaded, source=source)


class WhatIf:
    """Compares the program of a type with one that might take its place.

    Args:
        now: what decides today.
        new: what would.
        decisions: whether recorded commands are decided again; else only states are compared.
    """

    def __init__(self, stream: EventLog, now: TypeProgram, new: TypeProgram, *, decisions: bool = True) -> None:
        self._stream = stream
        self._now = now
        self._new = new
        self._decisions = decisions

    async def aggregate(self, key: AggregateKey) -> Replayed:
        """What changes for one aggregate.

        Raises:
            Unavailable, StreamError: the log cannot be read.
        """
        last = await self._stream.last(key)
        one = _One(key, self._now, self._new)
        async with aclosing(history(self._stream, key, upto=0 if last is None else last.sequence)) as messages:
            async for stored in messages:
                try:
                    message = decode_message(stored)
                except StreamError as error:
                    one.findings.append(Finding(Kind.LOG, one.version, stored.sequence, "", "", str(error)))
                    return one.replayed()
                for commit, body in single_commits(message, stored.body):
                    if self._decisions:
                        one.decide(commit, stored.sequence)
                    one.step(commit, body, stored.sequence)
        return one.replayed()


class _One:
    """One aggregate under both programs. A fold that has failed is words instead."""

    def __init__(self, key: AggregateKey, now: TypeProgram, new: TypeProgram) -> None:
        self._key = key
        self._now: Folded | str = Folded.before(now, key)
        self._new: Folded | str = Folded.before(new, key)
        self._failed: Finding | None = None
        self._sequence = self._commits = self._decided = 0
        self.version = 0
        self.findings: list[Finding] = []

    def decide(self, commit: Commit, sequence: int) -> None:
        """Decide a commit's command again by the new program."""
        if isinstance(self._new, str) or commit.command is None or self._new.version != commit.first_version - 1:
            return
        self._decided += 1
        again = redecide(self._new.program, self._key, self._new.state, commit, exact=False)
        self.findings += [Finding.of(found, commit, sequence) for found in differences(commit, again, exact=False)]

    def step(self, commit: Commit, body: bytes, sequence: int) -> None:
        """Fold one commit by both."""
        self._now = _after(self._now, body, sequence)
        before, self._new = self._new, _after(self._new, body, sequence)
        if isinstance(self._new, str) and not isinstance(before, str):
            self._failed = Finding(Kind.FOLD, before.version, sequence, commit.command_id, "", self._new)
        self._sequence, self.version = sequence, commit.last_version
        self._commits += 1

    def replayed(self) -> Replayed:
        """What came of it, the state's difference last."""
        now, new = self._now, self._new
        if isinstance(new, str):
            # Where no program of the two can fold it, a rollout changes nothing for the worse: `aggregate replay` tells of it.
            if not isinstance(now, str) and self._failed is not None:
                self.findings.append(self._failed)
        elif isinstance(now, str):
            self._differs(now, new.state.json().decode())
        elif now.state.hash() != new.state.hash():
            self._differs(*unequal_parts(now.state.json(), new.state.json()))
        folded = new if isinstance(new, Folded) else None
        return Replayed(
            key=self._key,
            version=self.version,
            state_hash="" if folded is None else folded.state.hash(),
            commits=self._commits,
            decided=self._decided,
            findings=tuple(self.findings),
        )

    def _differs(self, stored: str, replayed: str) -> None:
        self.findings.append(Finding(Kind.STATE, self.version, self._sequence, "", stored, replayed))


def _after(folded: Folded | str, body: bytes, sequence: int) -> Folded | str:
    if isinstance(folded, str):
        return folded
    try:
        return folded.after(body, sequence)
    except RehydrationError as error:
        return str(error)


def unequal_parts(one: bytes, other: bytes) -> tuple[str, str]:
    """Two states as text, of two maps only the members in which they differ."""
    first, second = parse(one), parse(other)
    if isinstance(first, dict) and isinstance(second, dict):
        return _without(first, second), _without(second, first)
    return one.decode(), other.decode()


def _without(members: dict[str, Any], others: dict[str, Any]) -> str:
    """`members` but for those that `others` has too, with the same value."""
    kept = {name: value for name, value in members.items() if name not in others or canonical(value) != canonical(others[name])}
    return canonical(kept).decode()
