"""Appending one commit message under its condition, and what the server's answer means: the closed table of outcomes.

Not stored for certain: a conflict (10071, 10164), too large (10054), bad headers (10097), atomic batches switched off (10174), nobody there
to take it. Stored for certain: an acknowledgement. Everything else (no answer in time, a lost connection, any code that is not in this
table) is unknown.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from aggregate.errors import MessageTooLarge, OutcomeUnknown, StreamConflict, StreamError, Unavailable
from aggregate.stream.connection import Connection, ConnectionLost, NoResponders, NotSent
from aggregate.stream.headers import EXPECTED_SEQUENCE, HEAD_ROOM, MESSAGE_ID, TIME_TO_LIVE, header_lines
from aggregate.stream.interface import Appended
from aggregate.stream.jetstream import ApiError, parse_answer
from aggregate.stream.owners import encode_owner
from aggregate.stream.subjects import owner_subject, subject_of
from aggregate.types import AggregateKey

WRONG_SEQUENCE = 10071
SEQUENCE_UNCERTAIN = 10164
CONFLICTS = frozenset({WRONG_SEQUENCE, SEQUENCE_UNCERTAIN})
TOO_LARGE = 10054
BAD_HEADERS = 10097
BATCH_DISABLED = 10174

BATCH_ID = "Nats-Batch-Id"
BATCH_SEQUENCE = "Nats-Batch-Sequence"
BATCH_COMMIT = "Nats-Batch-Commit"

_ACTUAL = re.compile(r"wrong last sequence: (\d+)")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as it goes out."""

    subject: str
    body: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What shall be appended.

    Attributes:
        head: its headers as they are sent, with condition and time to live.
        size: bytes of the message, headers included.
        claim: the owner message that goes before it, None where no owner is claimed.
    """

    subject: str
    body: bytes
    head: bytes
    size: int
    command_id: str
    claim: Outgoing | None


def request_of(
    key: AggregateKey, body: bytes, headers: Mapping[str, str], *, expected: int, claim_owner: bool, ttl: float | None
) -> Request:
    """The request that `EventLog.append` describes."""
    head = b"%b%b: %d\r\n" % (header_lines(headers), _EXPECTED, expected)
    if ttl is not None:
        head += b"%b: %ds\r\n" % (TIME_TO_LIVE.encode(), max(1, round(ttl)))
    claim = Outgoing(owner_subject(key.aggregate_id), encode_owner(key.tenant_id), _FIRST) if claim_owner else None
    return Request(subject_of(key), body, head, HEAD_ROOM + len(head) + len(body), headers[MESSAGE_ID], claim)


def outgoing(requests: list[Request]) -> list[Outgoing]:
    """The messages of one atomic batch (a single message without claim needs none), in the order in which they must go out."""
    messages = []
    for request in requests:
        if request.claim is not None:
            messages.append(request.claim)
        messages.append(Outgoing(request.subject, request.body, request.head))
    if len(messages) == 1:
        return messages
    batch = secrets.token_hex(16).encode()
    return [
        Outgoing(message.subject, message.body, message.head + _in_batch(batch, number, is_last=number == len(messages)))
        for number, message in enumerate(messages, 1)
    ]


def _in_batch(batch: bytes, number: int, *, is_last: bool) -> bytes:
    return b"%b: %b\r\n%b: %d\r\n%b" % (_BATCH_ID, batch, _BATCH_SEQUENCE, number, _BATCH_COMMIT if is_last else b"")


def check_size(request: Request, limit: int) -> None:
    """Raise MessageTooLarge where the message is over the server's limit (with room for the headers of a batch)."""
    size = request.size + (_BATCH_HEADERS if request.claim is not None else 0)
    if size > limit:
        raise MessageTooLarge(size, limit)


async def append_message(connection: Connection, request: Request, timeout: float) -> Appended:
    """As `EventLog.append`, on this connection."""
    check_size(request, connection.max_payload)
    *before, last = outgoing([request])
    try:
        for message in before:
            await connection.publish(message.subject, message.body, message.head)
        answer = await connection.request(last.subject, last.body, last.head, timeout=timeout)
    except NotSent as error:
        raise Unavailable(f"the connection to NATS was lost: {error}", "nats_disconnected") from error
    except NoResponders as error:
        raise Unavailable("no stream takes the message: JetStream is off, or has no leader now", "stream_unreachable") from error
    except (ConnectionLost, TimeoutError) as error:
        raise OutcomeUnknown(request.command_id, str(error)) from error
    try:
        members = parse_answer(answer.data, request.subject)
        return Appended(int(members["seq"]), bool(members.get("duplicate")))
    except ApiError as error:
        raise _refused(error, request, connection.max_payload) from error
    except (StreamError, KeyError, ValueError) as error:
        raise OutcomeUnknown(request.command_id, f"an answer nobody understands: {error}") from error


def _refused(error: ApiError, request: Request, limit: int) -> StreamError:
    if error.error_code in CONFLICTS:
        actual = _ACTUAL.search(error.description)
        return StreamConflict(str(error), error.error_code, int(actual[1]) if actual else None)
    if error.error_code == TOO_LARGE:
        return MessageTooLarge(request.size, limit)
    if error.error_code in {BAD_HEADERS, BATCH_DISABLED}:
        return error
    return OutcomeUnknown(request.command_id, str(error))


_EXPECTED = EXPECTED_SEQUENCE.encode()
_FIRST = b"%b: 0\r\n" % _EXPECTED
_BATCH_ID, _BATCH_SEQUENCE, _BATCH_COMMIT = BATCH_ID.encode(), BATCH_SEQUENCE.encode(), b"%b: 1\r\n" % BATCH_COMMIT.encode()
_BATCH_HEADERS = len(_in_batch(b"0" * 32, 999, is_last=True))
