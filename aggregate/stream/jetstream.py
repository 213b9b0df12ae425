"""JetStream's API as we use it: requests as JSON, answers as values, error codes as exceptions.

Stateless functions over a `Connection`; what a failure means for the caller (unknown outcome or not) is decided in `client.py`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from aggregate.errors import StreamError, quote
from aggregate.stream.connection import Connection
from aggregate.stream.interface import StoredMessage
from aggregate.stream.wire import Headers, Message

API = "$JS.API"
NOT_FOUND = 10059
NO_MESSAGE = 10037
NAME_IN_USE = 10058
NANOSECONDS = 1_000_000_000
BATCH = 1000
"""Messages asked for in one direct get."""

_STORED = re.compile(rb"\r\nNats-Sequence: (\d+)\r\nNats-Time-Stamp: (\S+)\r\nNats-Num-Pending: \d+\r\nNats-Last-Sequence: (\d+)\r\n")


class ApiError(StreamError):
    """The server refused a request. `error_code` is JetStream's (https://github.com/nats-io/nats-server, errors.json)."""

    def __init__(self, what: str, error_code: int, description: str, temporary: bool) -> None:
        """`temporary`: the server says that it cannot do it now (no leader, no quorum, shutting down)."""
        super().__init__(f"{what}: {description} (code {error_code})")
        self.error_code = error_code
        self.description = description
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class Batch:
    """Answer to a direct get of many. `pending`: messages on the subject after the last one, as far as the answering server knows."""

    messages: list[StoredMessage]
    pending: int


async def call(connection: Connection, operation: str, body: Mapping[str, Any] | None = None, *, timeout: float = 5.0) -> dict[str, Any]:
    """Ask the JetStream API.

    Raises:
        ApiError: it refused.
        ConnectionLost, TimeoutError, NoResponders: there is no answer.
    """
    answer = await connection.request(f"{API}.{operation}", b"" if body is None else json.dumps(body).encode(), timeout=timeout)
    return parse_answer(answer.data, operation)


def parse_answer(data: bytes, what: str) -> dict[str, Any]:
    """The members of an answer.

    Raises:
        ApiError: it is a refusal.
        StreamError: it is no answer of JetStream.
    """
    try:
        members = orjson.loads(data)
    except ValueError as error:
        raise StreamError(f"{what}: the answer is no JSON: {quote(data)}") from error
    if not isinstance(members, dict):
        raise StreamError(f"{what}: the answer is no object: {quote(data)}")
    if (refusal := members.get("error")) is not None:
        raise ApiError(what, int(refusal.get("err_code", 0)), str(refusal.get("description", "")), refusal.get("code") == 503)
    return members


async def get_message(connection: Connection, stream: str, *, timeout: float = 5.0, **which: Any) -> StoredMessage | None:
    """One message from the stream's leader: `seq=...`, or `last_by_subj=...`; None where there is none."""
    try:
        answer = await call(connection, f"STREAM.MSG.GET.{stream}", which, timeout=timeout)
    except ApiError as error:
        if error.error_code == NO_MESSAGE:
            return None
        raise
    message = answer["message"]
    return StoredMessage(
        sequence=int(message["seq"]),
        subject=str(message["subject"]),
        body=base64.b64decode(message.get("data") or ""),
        time=parse_timestamp(message["time"]),
        headers=Headers(base64.b64decode(message.get("hdrs") or "")),
    )


async def get_batch(connection: Connection, stream: str, subject: str, *, timeout: float = 5.0, **start: Any) -> Batch:
    """Messages on one literal subject from `seq=...` or `start_time=...` on, at most `BATCH`, from any replica: ordered, without hole."""
    ask = {**start, "next_by_subj": subject, "batch": BATCH}
    answers = await connection.request_many(f"{API}.DIRECT.GET.{stream}", json.dumps(ask).encode(), is_last=_is_last, timeout=timeout)
    end = answers.pop()
    if end.status not in {204, 404}:
        raise StreamError(f"direct get from {stream}: {end.status} {end.description}")
    messages: list[StoredMessage] = []
    before = 0
    for answer in answers:
        place, sequence, time, expected = _place(answer.head)
        if expected != before:
            return Batch(messages, 1)  # one got lost on the way between servers: the rest is asked for again
        messages.append(StoredMessage(sequence, subject, answer.data, time, Headers(answer.head[:place])))
        before = sequence
    if end.status == 404:
        return Batch(messages, 0)
    complete = int(end.headers.get("Nats-Last-Sequence", before)) == before
    return Batch(messages, int(end.headers.get("Nats-Num-Pending", "0")) if complete else 1)


def _place(head: bytes) -> tuple[int, int, int, int]:
    """Where the server's own headers begin in a message of a direct get; its sequence, time, and the sequence sent before it.

    Raises:
        StreamError: it does not say.
    """
    place = head.rfind(b"\r\nNats-Stream: ")
    found = _STORED.search(head, place) if place >= 0 else None
    if found is None:
        raise StreamError(f"direct get: the server does not say where a message stands: {quote(head)}")
    return place + 2, int(found[1]), parse_timestamp(found[2].decode()), int(found[3])


def parse_timestamp(text: str) -> int:
    """Unix nanoseconds of a server's timestamp (RFC 3339, any offset, up to nine digits)."""
    whole, dot, rest = text.partition(".")
    if not dot:
        return round(datetime.fromisoformat(text).timestamp()) * NANOSECONDS
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    at = datetime.fromisoformat(whole + rest[len(digits) :])
    return round(at.timestamp()) * NANOSECONDS + int(digits[:9].ljust(9, "0"))


def format_timestamp(milliseconds: int) -> str:
    """A time as the server reads it."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds % 1000:03d}Z"


def _is_last(message: Message) -> bool:
    return message.status != 0
