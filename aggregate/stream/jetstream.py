"""JetStream's API as we use it: requests as JSON, answers as values, error codes as exceptions.

Stateless functions over a `Connection`; what a failure means for the caller (unknown outcome or not) is decided in `client.py`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from aggregate.errors import StreamError, quote
from aggregate.stream.connection import Connection
from aggregate.stream.headers import parse_headers
from aggregate.stream.interface import StoredMessage
from aggregate.stream.nats_client import Message

API = "$JS.API"
NOT_FOUND = 10059
NO_MESSAGE = 10037
NAME_IN_USE = 10058
NANOSECONDS = 1_000_000_000
BATCH = 1000
"""Messages asked for in one direct get."""

SEQUENCE = "Nats-Sequence"
TIME_STAMP = "Nats-Time-Stamp"
PENDING = "Nats-Num-Pending"
LAST_SEQUENCE = "Nats-Last-Sequence"
_SERVERS = frozenset({"Nats-Stream", "Nats-Subject", SEQUENCE, TIME_STAMP, PENDING, LAST_SEQUENCE})
"""Headers that the server adds to a message of a direct get."""


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


async def subject_pages(info: Callable[..., Awaitable[dict[str, Any]]], pattern: str) -> AsyncGenerator[tuple[list[str], int], None]:
    """The subjects of a stream that a pattern takes, page by page, and how many there are; `info` asks for it. Raises as `info`."""
    seen = 0
    while True:
        answer = await info(subjects_filter=pattern, offset=seen)
        page, total = answer["state"].get("subjects") or {}, int(answer.get("total", 0))
        seen += len(page)
        if page:
            yield sorted(page), total
        if not page or seen >= total:
            return


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
        headers=parse_headers(base64.b64decode(message.get("hdrs") or "")),
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
        sequence, time, expected = _place(answer)
        if expected != before:
            return Batch(messages, 1)  # one got lost on the way between servers: the rest is asked for again
        messages.append(StoredMessage(sequence, subject, answer.data, time, _own(answer.headers)))
        before = sequence
    if end.status == 404:
        return Batch(messages, 0)
    complete = int(end.headers.get(LAST_SEQUENCE, before)) == before
    return Batch(messages, int(end.headers.get(PENDING, "0")) if complete else 1)


def _place(message: Message) -> tuple[int, int, int]:
    """Sequence, time of a message of a direct get, and the sequence sent before it.

    Raises:
        StreamError: it does not say.
    """
    try:
        headers = message.headers
        return int(headers[SEQUENCE]), parse_timestamp(headers[TIME_STAMP]), int(headers[LAST_SEQUENCE])
    except (KeyError, ValueError) as error:
        raise StreamError(f"direct get: the server does not say where a message stands: {quote(str(message.headers))}") from error


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _SERVERS}


def parse_timestamp(text: str) -> int:
    """Unix nanoseconds of a server's timestamp (RFC 3339, any offset, up to nine digits)."""
    whole, dot, rest = text.partition(".")
    if not dot:
        return _seconds(text) * NANOSECONDS
    zone = rest.lstrip("0123456789")
    digits = rest[: len(rest) - len(zone)]
    return _seconds(whole + zone) * NANOSECONDS + int(digits[:9].ljust(9, "0"))


@lru_cache(maxsize=256)
def _seconds(text: str) -> int:
    """Unix seconds; messages read together are mostly of few seconds."""
    return round(datetime.fromisoformat(text).timestamp())


def format_timestamp(milliseconds: int) -> str:
    """A time as the server reads it."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds % 1000:03d}Z"


def _is_last(message: Message) -> bool:
    return message.status != 0 and SEQUENCE not in message.headers
