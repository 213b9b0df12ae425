"""Appending one commit message under its condition, and what the server's answer means: the closed table of outcomes.

Not stored for certain: a conflict (10071, 10164), too large (10054), bad headers (10097), nobody there to take it. Stored for certain: an
acknowledgement. Everything else (no answer in time, a lost connection, any code that is not in this table) is unknown.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from aggregate.errors import MessageTooLarge, OutcomeUnknown, StreamConflict, StreamError, Unavailable
from aggregate.stream.connection import Connection, ConnectionLost, NoResponders, NotSent
from aggregate.stream.headers import EXPECTED_SEQUENCE, MESSAGE_ID, TIME_TO_LIVE
from aggregate.stream.interface import Appended
from aggregate.stream.jetstream import ApiError, parse_answer
from aggregate.stream.owners import encode_owner
from aggregate.stream.subjects import owner_subject, subject_of
from aggregate.stream.wire import header_block
from aggregate.types import AggregateKey

WRONG_SEQUENCE = 10071
SEQUENCE_UNCERTAIN = 10164
CONFLICTS = frozenset({WRONG_SEQUENCE, SEQUENCE_UNCERTAIN})
TOO_LARGE = 10054
BAD_HEADERS = 10097

BATCH_ID = "Nats-Batch-Id"
BATCH_SEQUENCE = "Nats-Batch-Sequence"
BATCH_COMMIT = "Nats-Batch-Commit"

_ACTUAL = re.compile(r"wrong last sequence: (\d+)")


async def append_message(
    connection: Connection,
    key: AggregateKey,
    body: bytes,
    headers: Mapping[str, str],
    *,
    expected: int,
    claim_owner: bool,
    ttl: float | None,
    timeout: float,
) -> Appended:
    """As `EventLog.append`, on this connection."""
    members = {**headers, EXPECTED_SEQUENCE: str(expected)}
    if ttl is not None:
        members[TIME_TO_LIVE] = f"{max(1, round(ttl))}s"
    if claim_owner:
        batch = secrets.token_hex(16)
        members |= {BATCH_ID: batch, BATCH_SEQUENCE: "2", BATCH_COMMIT: "1"}
    head = header_block(members)
    size = len(head) + len(body)
    if size > connection.max_payload:
        raise MessageTooLarge(size, connection.max_payload)
    command_id = headers[MESSAGE_ID]
    try:
        if claim_owner:
            claim = header_block({BATCH_ID: batch, BATCH_SEQUENCE: "1", EXPECTED_SEQUENCE: "0"})
            connection.send(owner_subject(key.aggregate_id), encode_owner(key.tenant_id), claim)
        answer = await connection.request(subject_of(key), body, head, timeout=timeout)
    except NotSent as error:
        raise Unavailable(f"the connection to NATS was lost: {error}", "nats_disconnected") from error
    except NoResponders as error:
        raise Unavailable("no stream takes the message: JetStream is off, or has no leader now", "stream_unreachable") from error
    except (ConnectionLost, TimeoutError) as error:
        raise OutcomeUnknown(command_id, str(error)) from error
    try:
        members_of_answer = parse_answer(answer.data, str(key))
        return Appended(int(members_of_answer["seq"]), bool(members_of_answer.get("duplicate")))
    except ApiError as error:
        raise _refused(error, command_id, size, connection.max_payload) from error
    except (StreamError, KeyError, ValueError) as error:
        raise OutcomeUnknown(command_id, f"an answer nobody understands: {error}") from error


def _refused(error: ApiError, command_id: str, size: int, limit: int) -> StreamError:
    if error.error_code in CONFLICTS:
        actual = _ACTUAL.search(error.description)
        return StreamConflict(str(error), error.error_code, int(actual[1]) if actual else None)
    if error.error_code == TOO_LARGE:
        return MessageTooLarge(size, limit)
    if error.error_code == BAD_HEADERS:
        return error
    return OutcomeUnknown(command_id, str(error))
