"""The body of a commit message: canonical JSON (architecture, Formats), written and read without touching a payload's bytes.

Payloads are spliced in as the canonical text the engines made and cut out again byte for byte, so numbers stay exact. A body is always
our own canonical JSON, so the reader knows the order of all members: it walks the text with one pattern a step, and lets the JSON
scanner find the end of the values it keeps raw. Anything else is damage, and is reported with its place.
"""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring as _quoted
from typing import Any, NoReturn

from aggregate.errors import StreamError, ValidationError, quote
from aggregate.stream.interface import StoredMessage
from aggregate.stream.subjects import subject_of
from aggregate.types import AggregateId, AggregateType, Commit, CommitMessage, CommittedEvent, Document, Event, Refusal, TenantId, Version

FORMAT_VERSION = 1
MAX_COMMITS = 64

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_INTEGER = "0|[1-9][0-9]{0,18}"
_STRING = r'"(?:[^"\\\x00-\x1f]|\\.)*"'
_HEAD = re.compile(rf'\{{"aggregate_id":"({_UUID})","aggregate_type":"([A-Za-z][A-Za-z0-9_-]{{0,63}})","commits":\[')
_COMMIT = re.compile(r'\{("command":)?')
_COMMAND_ID = re.compile(rf'"command_id":"({_UUID})","events":\[')
_EVENT = re.compile(rf'\{{"event_id":"({_UUID})","payload":')
_COMMA = re.compile(",")
_CLOSE = re.compile(r"\}")
_AFTER_EVENTS = re.compile(rf'\],"first_version":({_INTEGER}),"gas":({_INTEGER}),"metadata":')
_AFTER_METADATA = re.compile(rf',"payload_hash":"([0-9a-f]{{64}})",(?:"refused":\{{"code":({_STRING}),"details":)?')
_AFTER_DETAILS = re.compile(rf',"kind":"([a-z_]{{1,32}})","message":({_STRING})\}},')
_TIME = re.compile(r'"time":"([0-9TZ:.-]{24})"\}(,)?')
_TAIL = re.compile(rf'\],"generation":({_INTEGER}),"program":"([0-9a-f]{{64}})","tenant_id":"([A-Za-z0-9_-]{{0,64}})","v":1\}}\Z')


def encode_body(message: CommitMessage) -> bytes:
    """The body of a commit message.

    Raises:
        ValidationError: a text holds a lone surrogate, or there are not 1 to 64 commits.
    """
    if not 1 <= len(message.commits) <= MAX_COMMITS:
        raise ValidationError(f"a message holds 1 to {MAX_COMMITS} commits, not {len(message.commits)}")
    try:
        out = [f'{{"aggregate_id":"{message.aggregate_id}","aggregate_type":"{message.aggregate_type}","commits":['.encode()]
        for index, commit in enumerate(message.commits):
            if index:
                out.append(b",")
            _write_commit(commit, out)
        program = f'],"generation":{message.generation},"program":{_quoted(message.program)}'
        out.append(f'{program},"tenant_id":"{message.tenant_id}","v":{FORMAT_VERSION}}}'.encode())
    except UnicodeEncodeError as error:
        raise ValidationError(f"a text holds a lone surrogate: {error.object[error.start : error.end]!r}") from error
    return b"".join(out)


def _write_commit(commit: Commit, out: list[bytes]) -> None:
    if commit.command is not None:
        out += (b'{"command":', commit.command, f',"command_id":{_quoted(commit.command_id)},"events":['.encode())
    else:
        out.append(f'{{"command_id":{_quoted(commit.command_id)},"events":['.encode())
    comma = ""
    for event in commit.events:
        out += (f'{comma}{{"event_id":{_quoted(event.event_id)},"payload":'.encode(), event.payload, b"}")
        comma = ","
    metadata = ",".join([f"{_quoted(name)}:{_quoted(commit.metadata[name])}" for name in sorted(commit.metadata)])
    numbers = f'],"first_version":{commit.first_version},"gas":{commit.gas}'
    out.append(f'{numbers},"metadata":{{{metadata}}},"payload_hash":{_quoted(commit.payload_hash)},'.encode())
    if (refused := commit.refused) is not None:
        out += (f'"refused":{{"code":{_quoted(refused.code)},"details":'.encode(), refused.details)
        out.append(f',"kind":{_quoted(refused.kind)},"message":{_quoted(refused.message)}}},'.encode())
    out.append(f'"time":{_quoted(commit.time)}}}'.encode())


def decode_body(body: bytes) -> CommitMessage:
    """The commit message that `encode_body` wrote.

    Raises:
        StreamError: damaged (with the place), or of a format version this node does not know.
    """
    try:
        return _Reader(body.decode()).message()
    except UnicodeDecodeError as error:
        raise StreamError(f"commit message: not UTF-8 at byte {error.start}") from error


def decode_message(stored: StoredMessage) -> CommitMessage:
    """The commit message of a stored message; its body must name the aggregate whose subject it stands on.

    Raises:
        StreamError: damaged, unknown format version, or the wrong aggregate; names the place in the log.
    """
    try:
        message = decode_body(stored.body)
    except StreamError as error:
        raise StreamError(f"{stored.subject}, sequence {stored.sequence}: {error}") from error
    if subject_of(message.key) != stored.subject:
        raise StreamError(f"{stored.subject}, sequence {stored.sequence}: the body is of {message.key}")
    return message


def events_of(message: CommitMessage, position: str) -> list[Event]:
    """The events of a message, each in the envelope that is told to the world.

    Raises:
        StreamError: an event has no type.
    """
    return [
        Event(
            tenant_id=message.tenant_id,
            aggregate_type=message.aggregate_type,
            aggregate_id=message.aggregate_id,
            version=Version(commit.first_version + index),
            payload=Document(event.payload),
            event_type=event.type or type_of(event.payload),
            command_id=commit.command_id,
            event_id=event.event_id,
            timestamp=commit.time,
            metadata=commit.metadata,
            position=position,
        )
        for commit in message.commits
        for index, event in enumerate(commit.events)
    ]


def type_of(payload: bytes) -> str:
    """The `type` of an event, read without making a Python value of every number."""
    value, _ = _raw.raw_decode(payload.decode())
    found = value.get("type") if isinstance(value, dict) else None
    if not isinstance(found, str) or not found:
        raise StreamError(f"an event without a type: {quote(payload)}")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


# Numbers are not looked at, their text is kept: `len` is the cheapest thing that takes any number of digits.
_raw = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_no_constant)
_plain = json.JSONDecoder(parse_constant=_no_constant)


class _Reader:
    """A walk through one body."""

    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def message(self) -> CommitMessage:
        aggregate_id, aggregate_type = self._step(_HEAD, "aggregate_id, aggregate_type, commits").groups()
        commits: list[Commit] = []
        more = True
        while more:
            commit, more = self._commit()
            if commits and commit.first_version != commits[-1].last_version + 1:
                self._damaged(f"a commit that goes on from version {commits[-1].last_version}")
            commits.append(commit)
        if len(commits) > MAX_COMMITS:
            self._damaged(f"at most {MAX_COMMITS} commits")
        generation, program, tenant = self._step(_TAIL, "generation, program, tenant_id, v").groups()
        return CommitMessage(
            TenantId(tenant), AggregateType(aggregate_type), AggregateId(aggregate_id), program, int(generation), tuple(commits)
        )

    def _commit(self) -> tuple[Commit, bool]:
        command = None
        if self._step(_COMMIT, "a commit")[1]:
            command = self._value()
            self._step(_COMMA, "a comma")
        command_id = self._step(_COMMAND_ID, "command_id, events")[1]
        events: list[CommittedEvent] = []
        while (begin := _EVENT.match(self._text, self._at)) is not None:
            self._at = begin.end()
            payload = self._value()
            self._step(_CLOSE, "the end of an event")
            events.append(CommittedEvent(begin[1], payload))
            if _COMMA.match(self._text, self._at) is None:
                break
            self._at += 1
        first_version, gas = self._step(_AFTER_EVENTS, "first_version, gas, metadata").groups()
        metadata = self._metadata()
        payload_hash, code = self._step(_AFTER_METADATA, "payload_hash").groups()
        refused = None
        if code is not None:
            details = self._value()
            kind, words = self._step(_AFTER_DETAILS, "kind, message").groups()
            refused = Refusal(kind, self._string(code), self._string(words), details)
        time, comma = self._step(_TIME, "time").groups()
        commit = Commit(command_id, int(first_version), time, int(gas), payload_hash, command, metadata, tuple(events), refused)
        return commit, comma is not None

    def _step(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            self._damaged(expected)
        self._at = found.end()
        return found

    def _value(self) -> bytes:
        """The text of the value that stands here."""
        start = self._at
        self._scan(_raw)
        return self._text[start : self._at].encode()

    def _metadata(self) -> dict[str, str]:
        value = self._scan(_plain)
        if not isinstance(value, dict) or not all(isinstance(member, str) for member in value.values()):
            self._damaged("a map of strings")
        return value

    def _scan(self, decoder: json.JSONDecoder) -> Any:
        try:
            value, self._at = decoder.raw_decode(self._text, self._at)
        except (ValueError, RecursionError) as error:
            self._at = getattr(error, "pos", self._at)
            self._damaged("a JSON value")
        return value

    def _string(self, quoted: str) -> str:
        try:
            return str(json.loads(quoted))
        except ValueError:
            self._damaged("a string")

    def _damaged(self, expected: str) -> NoReturn:
        version = _version_of(self._text)
        if version is not None and version != FORMAT_VERSION:
            raise StreamError(f"commit message of format version {version}; this node knows version {FORMAT_VERSION}: update it")
        raise StreamError(f"commit message damaged at character {self._at} of {len(self._text)}: expected {expected}")


def _version_of(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value.get("v") if isinstance(value, dict) else None
