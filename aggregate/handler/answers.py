"""From what stands in the log to what a caller is told. A retry gets its answer from here too: from the bytes read, never from memory."""

from __future__ import annotations

from aggregate.errors import AggregateError, CommandIdReused
from aggregate.handler.deciding import refusal_error
from aggregate.stream.codec import events_of
from aggregate.types import Commit, CommitMessage, Receipt, Version


def answer(message: CommitMessage, commit: Commit, position: str, *, duplicate: bool) -> Receipt:
    """The receipt of a commit that stands in the log at `position`.

    Raises:
        Rejected, DecideError, ApplyError, VersionConflict: the commit is a refusal.
    """
    if commit.refused is not None:
        raise refusal_error(commit.refused, commit.gas)
    one = message
    if len(message.commits) > 1:
        one = CommitMessage(message.tenant_id, message.aggregate_type, message.aggregate_id, message.program, message.generation, (commit,))
    return Receipt(
        command_id=commit.command_id,
        tenant_id=message.tenant_id,
        aggregate_type=message.aggregate_type,
        aggregate_id=message.aggregate_id,
        version=Version(commit.last_version),
        position=position,
        duplicate=duplicate,
        gas_used=commit.gas,
        events=tuple(events_of(one, position)),
    )


def original(message: CommitMessage, command_id: str, payload_hash: str, position: str) -> Receipt:
    """The original answer to a command that stands in `message`.

    Raises:
        CommandIdReused: it stands there with another payload.
        AggregateError: it was refused: the original refusal.
    """
    commit = next(each for each in message.commits if each.command_id == command_id)
    if commit.payload_hash != payload_hash:
        raise CommandIdReused(command_id)
    return answer(message, commit, position, duplicate=True)


def outcome(message: CommitMessage, commit: Commit, position: str) -> Receipt | AggregateError:
    """`answer`, an error as a value."""
    try:
        return answer(message, commit, position, duplicate=False)
    except AggregateError as error:
        return error
