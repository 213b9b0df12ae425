"""Was this command decided before? Answered without a time limit, from the kept ids or from the log itself.

"It is not there" is only believed of an answer that shows that the server's log reaches far enough: a replica may be behind, and a server
that was leader a moment ago may not know yet that it is none. Believed too lightly, it would have a command decided twice.
"""

from __future__ import annotations

import asyncio

from aggregate.errors import StreamConflict, Unavailable
from aggregate.handler.loaded import Loaded
from aggregate.stream.codec import decode_message
from aggregate.stream.interface import EventLog, StoredMessage
from aggregate.stream.subjects import subject_of
from aggregate.types import CommitMessage, uuid7_milliseconds

CLOCKS_APART_MILLISECONDS = 15 * 60 * 1000
"""A command is never stored longer before the time in its id than this: ids from the future are refused, and clocks are watched."""

ATTEMPTS = 6
FIRST_PAUSE = 0.01


async def find_committed(stream: EventLog, loaded: Loaded, command_id: str) -> tuple[CommitMessage, str] | None:
    """The message that holds a command of this aggregate and its position.

    None: the command was never decided, or its refusal has expired.

    Raises:
        StreamConflict: `loaded` is not as the log is: catch up first.
        Unavailable, StreamError: the log cannot be read.
    """
    sequence = loaded.known.sequence_of(command_id)
    if sequence is not None:
        stored = await _kept(stream, loaded, sequence)
        return None if stored is None else _holding(stream, loaded, stored, command_id)
    if not loaded.known.may_be_in_log(command_id):
        return None
    made = uuid7_milliseconds(command_id)
    since = 0 if made is None else max(0, made - CLOCKS_APART_MILLISECONDS)
    for stored in await _since(stream, loaded, since):
        found = _holding(stream, loaded, stored, command_id)
        if found is not None:
            return found
    return None


async def _kept(stream: EventLog, loaded: Loaded, sequence: int) -> StoredMessage | None:
    """The message at the sequence of a kept id; None where it has expired."""
    stored = await stream.message_at(sequence)
    if stored is not None or sequence > loaded.sequence:  # beyond the sequence: expired, and the append's condition says so again
        return stored
    following = await stream.read(loaded.key, after=sequence - 1, upto=loaded.sequence, leader=True, most=1)
    if following:
        return following[0] if following[0].sequence == sequence else None
    if sequence > loaded.solid:
        raise StreamConflict(f"the refusals of {loaded.key} after {loaded.solid} are not there: expired, or the server is behind")
    raise _behind(loaded)


async def _since(stream: EventLog, loaded: Loaded, milliseconds: int) -> list[StoredMessage]:
    """The messages stored from a time on up to the last one, which is known to be later than that time."""
    for attempt in range(ATTEMPTS):
        found = await stream.read_since(loaded.key, milliseconds=milliseconds, upto=loaded.sequence)
        if found and found[-1].sequence == loaded.sequence:
            return found
        last = await stream.last(loaded.key)
        if last is None or last.sequence != loaded.sequence:
            raise StreamConflict(f"{loaded.key} is not at {loaded.sequence}")
        await asyncio.sleep(FIRST_PAUSE * 2**attempt)
    raise _behind(loaded)


def _behind(loaded: Loaded) -> Unavailable:
    return Unavailable(f"the servers that answer are behind the log of {loaded.key}", "stream_behind", 0.2)


def _holding(stream: EventLog, loaded: Loaded, stored: StoredMessage, command_id: str) -> tuple[CommitMessage, str] | None:
    if stored.subject != subject_of(loaded.key) or command_id.encode() not in stored.body:
        return None
    message = decode_message(stored)
    if any(commit.command_id == command_id for commit in message.commits):
        return message, stream.position(stored.sequence)
    return None
