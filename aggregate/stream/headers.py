r"""Headers of a commit message: a fixed list with checked values.

No header comes from outside by name, and a value is `[\x21-\x7e]{1,128}`: a control byte in a value would add a header of the sender's
choice, and the server obeys headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from aggregate.errors import ValidationError, quote
from aggregate.types import CommitMessage
from aggregate.types.json import parse

MESSAGE_ID = "Nats-Msg-Id"
EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
TIME_TO_LIVE = "Nats-TTL"
TRACE_PARENT = "traceparent"
CORRELATION_ID = "x-correlation-id"
VERSION = "Aggregate-Version"
COMMITS = "Aggregate-Commits"
EVENT_TYPES = "Aggregate-Events"

HEAD_ROOM = len(b"NATS/1.0\r\n\r\n")
"""Bytes that headers take beside their lines."""
EVENT_TYPES_LIMIT = 4096
_VALUE = re.compile(r"[\x21-\x7e]{1,128}")


def header_value(value: str, field: str) -> str:
    """`value` where it is fit for a header.

    Raises:
        ValidationError: it is not; `field` names what the caller gave.
    """
    if _VALUE.fullmatch(value) is None:
        raise ValidationError(f"expected 1 to 128 visible ASCII characters without spaces, got {quote(value)}", field)
    return value


def commit_headers(message: CommitMessage, event_types: Iterable[str] | None = None, message_id: str | None = None) -> dict[str, str]:
    """The headers of a commit message, without those that `EventLog.append` adds (condition, time to live).

    `event_types` are those of all its events, where the caller knows them (None: read from the payloads). `message_id` replaces the first
    command id where another tenant's message has taken it.

    Raises:
        ValidationError: a value is not fit for a header.
    """
    first = message.commits[0]
    headers = {
        MESSAGE_ID: header_value(message_id or first.command_id, "command_id"),
        VERSION: str(message.last_version),
        COMMITS: str(len(message.commits)),
    }
    types = _event_types(_types_in(message) if event_types is None else event_types)
    if types:
        headers[EVENT_TYPES] = types
    for name, member in ((TRACE_PARENT, "traceparent"), (CORRELATION_ID, "correlation_id")):
        if value := first.metadata.get(member):
            headers[name] = header_value(value, member)
    return headers


def header_size(headers: Mapping[str, str]) -> int:
    """Bytes that headers take in a message."""
    return HEAD_ROOM + sum([len(name) + len(value) + 4 for name, value in headers.items()])


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Headers as they are sent. Raises ValueError where one holds a line break, which would make another of it."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()]).encode()
    if not lines.count(b"\n") == lines.count(b"\r") == len(headers):
        raise ValueError("a line break in a header")
    return lines


def parse_headers(head: bytes) -> dict[str, str]:
    """The headers of a raw block, as JetStream's API hands it out, by name (of equal names the last)."""
    return parse_lines(head.partition(b"\r\n")[2])


def parse_lines(lines: bytes) -> dict[str, str]:
    """The headers of a block without its first line. Read for every message of a history, so decoded as a whole."""
    found = {}
    for line in lines.decode(errors="replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            found[name] = value.strip()
    return found


def _types_in(message: CommitMessage) -> list[str]:
    payloads = (parse(event.payload) for commit in message.commits for event in commit.events)
    return [str(payload["type"]) if isinstance(payload, Mapping) and "type" in payload else "" for payload in payloads]


def _event_types(types: Iterable[str]) -> str:
    """Distinct types, joined by commas; `*` stands for those that do not fit: not visible ASCII, with a comma, or over the limit."""
    fit: list[str] = []
    size = 0
    rest = False
    for name in dict.fromkeys(types):
        unfit = _VALUE.fullmatch(name) is None or "," in name or name == "*"
        if unfit or size + len(name) + 1 > EVENT_TYPES_LIMIT - 2:
            rest = True
        else:
            fit.append(name)
            size += len(name) + 1
    return ",".join([*fit, "*"] if rest else fit)
