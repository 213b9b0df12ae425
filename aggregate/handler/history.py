"""An aggregate's past: its messages some at a time, its commits one by one, and the state as of a version or of a time.

Nothing here keeps a history in memory: it is read page by page and folded as it comes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aggregate.errors import ErrorRecord, RehydrationError, Unavailable, ValidationError, quote
from aggregate.runtime import State, TypeProgram
from aggregate.stream.codec import decode_message, encode_body
from aggregate.stream.interface import EventLog, StoredMessage
from aggregate.types import AggregateKey, Commit, CommitMessage
from aggregate.types.ids import MAX_VERSION
from aggregate.types.time import format_time

PAGE = 500
"""Messages read at once."""

SLICE = 50
"""Messages folded before others get their turn on the event loop."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Folded:
    """What a program makes of the first commits of an aggregate. Immutable; `after` makes the next one.

    Attributes:
        sequence: of the message that holds the last commit folded in (0: none).
        time: of that commit ("": none).
    """

    program: TypeProgram
    key: AggregateKey
    state: State
    version: int = 0
    sequence: int = 0
    time: str = ""

    @classmethod
    def before(cls, program: TypeProgram, key: AggregateKey) -> Folded:
        """Before the first commit."""
        return cls(program, key, program.initial_state)

    def after(self, body: bytes, sequence: int) -> Folded:
        """After the commits of one more message.

        Raises:
            RehydrationError: the message does not follow, is damaged, or `apply` fails on it.
        """
        fold = self.program.fold_commits(self.state, [body], self.key.tenant_id, self.key.aggregate_id, self.version)
        if fold.error is not None:
            record = ErrorRecord.from_json(fold.error)
            raise RehydrationError(f"{self.key} cannot be folded beyond version {fold.version}, at sequence {sequence}: {record}")
        return replace(self, state=fold.state, version=fold.version, sequence=sequence, time=fold.time or self.time)


@dataclass(frozen=True, slots=True)
class Moment:
    """As of when: after `version` events, or after the commits not later than `time` (text as commits have it); neither: now."""

    version: int | None = None
    time: str | None = None

    @classmethod
    def of(cls, at_version: int | None, at_time: str | None) -> Moment:
        """What a caller asks for, checked.

        Raises:
            ValidationError: no version, no time, or both; names `at_version` or `at_time`.
        """
        if at_version is not None and at_time is not None:
            raise ValidationError("a version or a time, not both", "at_time")
        if at_version is not None and not 0 <= at_version <= MAX_VERSION:
            raise ValidationError(f"a version is an integer from 0 to {MAX_VERSION}, got {quote(at_version)}", "at_version")
        return cls(at_version, None if at_time is None else read_time(at_time, "at_time"))

    def is_past(self, version: int) -> bool:
        """Whether an aggregate at `version` may have to be folded again."""
        return self.time is not None or (self.version is not None and self.version != version)

    def cuts(self, folded: Folded) -> bool:
        """Whether `folded` is beyond it."""
        return (self.version is not None and folded.version > self.version) or (self.time is not None and folded.time > self.time)


async def history(stream: EventLog, key: AggregateKey, *, upto: int, after: int = 0) -> AsyncGenerator[StoredMessage, None]:
    """The aggregate's messages, as `pages` gives them. Others get their turn every `SLICE` messages.

    Raises:
        As `pages`.
    """
    async with aclosing(pages(stream, key, upto=upto, after=after)) as read:
        async for page in read:
            for number, stored in enumerate(page, 1):
                yield stored
                if number % SLICE == 0:
                    await asyncio.sleep(0)


async def pages(stream: EventLog, key: AggregateKey, *, upto: int, after: int = 0) -> AsyncGenerator[list[StoredMessage], None]:
    """The aggregate's messages with `after < sequence <= upto`, in order, `upto` being the sequence of one of them.

    What a replica behind the leader leaves out comes from the leader.

    Raises:
        Unavailable: also where the one at `upto` does not come: the servers that answer are behind, and leave out who knows what.
        StreamError.
    """
    leader = False
    while after < upto:
        page = await stream.read(key, after=after, upto=upto, leader=leader, most=PAGE)
        if page:
            yield page
            after = page[-1].sequence
        elif leader:
            raise Unavailable(f"the servers that answer are behind the log of {key}", "stream_behind", 0.2)
        leader = not page


def single_commits(message: CommitMessage, body: bytes) -> list[tuple[Commit, bytes]]:
    """The commits of a message (`body` is its own), each with the body of a message that holds it alone."""
    if len(message.commits) == 1:
        return [(message.commits[0], body)]
    return [(commit, encode_body(replace(message, commits=(commit,)))) for commit in message.commits]


async def fold_to(stream: EventLog, program: TypeProgram, key: AggregateKey, moment: Moment, *, upto: int) -> Folded:
    """The aggregate as of a moment, which is no later than the message at sequence `upto`.

    Raises:
        RehydrationError: the history cannot be folded.
        Unavailable, StreamError: it cannot be read.
    """
    folded = Folded.before(program, key)
    async with aclosing(history(stream, key, upto=upto)) as messages:
        async for stored in messages:
            if moment.version == folded.version:
                break
            further = folded.after(stored.body, stored.sequence)
            if moment.cuts(further):
                return _within(folded, stored, moment)
            folded = further
    return folded


def _within(folded: Folded, stored: StoredMessage, moment: Moment) -> Folded:
    """`fold_to` inside of one message."""
    message = decode_message(stored)
    for commit in message.commits:
        if moment.version == folded.version or (moment.time is not None and commit.time > moment.time):
            break
        events = commit.events if moment.version is None else commit.events[: moment.version - folded.version]
        part = replace(message, commits=(replace(commit, events=events),))
        folded = folded.after(encode_body(part), stored.sequence)
    return folded


def read_time(text: str, field: str) -> str:
    """A time (RFC 3339, any offset) as commits have it: UTC, milliseconds, what is finer cut off.

    Raises:
        ValidationError: it is none; names `field`.
    """
    try:
        if _TIME.match(text) is None:
            raise ValueError(text)
        at = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValidationError(f"expected a time like 2026-01-31T12:00:00Z (RFC 3339), got {quote(text)}", field) from error
    whole = at.replace(microsecond=0)
    return format_time(round(whole.timestamp()) * 1000 + at.microsecond // 1000)
