"""Was this command decided before? Answered without a time limit, from the kept ids or from the log itself."""

from __future__ import annotations

from aggregate.handler.loaded import Loaded
from aggregate.stream.codec import decode_message
from aggregate.stream.interface import EventLog, StoredMessage
from aggregate.stream.subjects import subject_of
from aggregate.types import CommitMessage, uuid7_milliseconds

CLOCKS_APART_MILLISECONDS = 15 * 60 * 1000
"""A command is never stored longer before the time in its id than this: ids from the future are refused, and clocks are watched."""


async def find_committed(stream: EventLog, loaded: Loaded, command_id: str) -> tuple[CommitMessage, str] | None:
    """The message that holds a command of this aggregate and its position.

    None: the command was never decided, or its refusal has expired.

    Raises:
        Unavailable, StreamError: the log cannot be read.
    """
    sequence = loaded.known.sequence_of(command_id)
    if sequence is not None:
        stored = await stream.message_at(sequence)
        return None if stored is None else _holding(stream, loaded, stored, command_id)
    if not loaded.known.may_be_in_log(command_id):
        return None
    made = uuid7_milliseconds(command_id)
    since = 0 if made is None else max(0, made - CLOCKS_APART_MILLISECONDS)
    for stored in await stream.read_since(loaded.key, milliseconds=since, upto=loaded.sequence):
        found = _holding(stream, loaded, stored, command_id)
        if found is not None:
            return found
    return None


def _holding(stream: EventLog, loaded: Loaded, stored: StoredMessage, command_id: str) -> tuple[CommitMessage, str] | None:
    if stored.subject != subject_of(loaded.key) or command_id.encode() not in stored.body:
        return None
    message = decode_message(stored)
    if any(commit.command_id == command_id for commit in message.commits):
        return message, stream.position(stored.sequence)
    return None
