"""The NATS client protocol without I/O: bytes in, frames out; and the bytes of what a client says.

Ours because the append is the one thing a warm command waits for: this reader takes a fifth of the time of a general client's, and
the connection above it (`connection.py`) never sends anything later than it was asked to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CRLF = b"\r\n"
PING = b"PING\r\n"
PONG = b"PONG\r\n"
HEADER_LINE = b"NATS/1.0"
MAX_CONTROL_LINE = 1 << 20
"""INFO is the longest line (it lists the cluster's URLs); a longer one is no NATS server."""


class ProtocolError(Exception):
    """The other side does not speak NATS."""


@dataclass(slots=True)
class Message:
    """A message delivered to us. `head` is the raw header block, empty where there is none."""

    subject: str
    subscription: int
    reply: str
    head: bytes
    data: bytes

    @property
    def status(self) -> int:
        """The status in the header line (503: nobody answers, 404, 204, ...), 0 where there is none."""
        if self.head[8:9] != b" ":
            return 0
        line = self.head[9:12]
        return int(line) if line.isdigit() else 0

    @property
    def description(self) -> str:
        """The words after the status."""
        return self.head[12 : self.head.find(CRLF)].decode(errors="replace").strip()

    @property
    def headers(self) -> Headers:
        """The headers by name."""
        return Headers(self.head)


class Headers(Mapping[str, str]):
    """Headers by name (of equal names the last), read out of the raw block when somebody looks: of most messages nobody does."""

    __slots__ = ("_head", "_members")

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._members: dict[str, str] | None = None

    def _read(self) -> dict[str, str]:
        if self._members is None:
            self._members = parse_headers(self._head)
        return self._members

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __contains__(self, name: object) -> bool:
        if self._members is None and f"\r\n{name}:".encode() not in self._head:
            return False  # without reading: no value holds a line break
        return name in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())


@dataclass(frozen=True, slots=True)
class Info:
    """What the server says of itself."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Control:
    """PING, PONG or +OK."""

    name: bytes


@dataclass(frozen=True, slots=True)
class ServerError:
    """-ERR: what the server complains of; it closes the connection after most."""

    text: str


Frame = Message | Info | Control | ServerError


class Reader:
    """Cuts the server's bytes into frames."""

    __slots__ = ("_kept", "_missing")

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._missing = 0  # bytes that are certainly still to come before a frame is complete

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete with `data`; the rest is kept.

        Raises:
            ProtocolError: not NATS.
        """
        if self._kept:
            self._kept.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data = b"".join(self._kept)
            self._kept = []
        return self._cut(data)

    def _cut(self, buffer: bytes) -> list[Frame]:
        frames: list[Frame] = []
        start = 0
        self._missing = 1
        while (end := buffer.find(CRLF, start)) >= 0:
            first = buffer[start]
            if first in b"MH":
                after = self._message(buffer, start, end, frames)
                if after < 0:
                    break
                start = after
            else:
                frames.append(_control(buffer[start:end]))
                start = end + 2
        rest = buffer[start:]
        if rest:
            self._kept = [rest]
            if len(rest) > MAX_CONTROL_LINE and rest.find(CRLF, 0, MAX_CONTROL_LINE) < 0:
                raise ProtocolError("a line without end")
        return frames

    def _message(self, buffer: bytes, start: int, end: int, frames: list[Frame]) -> int:
        """Take a MSG or HMSG whose control line ends at `end`; returns where the next frame begins, -1 while it is not complete."""
        words = buffer[start:end].split()
        try:
            with_head = words[0] == b"HMSG"
            if not with_head and words[0] != b"MSG":
                raise ProtocolError(f"unknown operation {words[0][:20]!r}")
            sizes = 2 if with_head else 1
            if not 3 + sizes <= len(words) <= 4 + sizes:
                raise ValueError("too few or too many words")
            subject, subscription, size = words[1].decode(), int(words[2]), int(words[-1])
            head_size = int(words[-2]) if with_head else 0
            reply = words[3].decode() if len(words) == 4 + sizes else ""
        except ValueError as error:
            raise ProtocolError(f"malformed message line {buffer[start : min(end, start + 80)]!r}") from error
        body = end + 2
        after = body + size + 2
        if len(buffer) < after:
            self._missing = after - len(buffer)
            return -1
        if not 0 <= head_size <= size or buffer[after - 2 : after] != CRLF:
            raise ProtocolError("a message that is not as long as it says")
        frames.append(Message(subject, subscription, reply, buffer[body : body + head_size], buffer[body + head_size : after - 2]))
        return after


def _control(line: bytes) -> Frame:
    if line.startswith(b"INFO "):
        try:
            values = json.loads(line[5:])
        except ValueError as error:
            raise ProtocolError("INFO is no JSON") from error
        if not isinstance(values, dict):
            raise ProtocolError("INFO is no object")
        return Info(values)
    if line in {b"PING", b"PONG", b"+OK"}:
        return Control(line)
    if line.startswith(b"-ERR"):
        return ServerError(line[4:].decode(errors="replace").strip(" '"))
    raise ProtocolError(f"unknown operation {line[:20]!r}")


def parse_headers(head: bytes) -> dict[str, str]:
    """The headers of a raw block by name."""
    lines = head.split(CRLF)
    found = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            found[name.decode(errors="replace")] = value.strip().decode(errors="replace")
    return found


def header_block(headers: Mapping[str, str]) -> bytes:
    """The raw block of headers whose values are known to be fit (`headers.py`); a control byte in one is refused all the same.

    Raises:
        ValueError: a line break in a name or value.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers):
        raise ValueError("a header holds a line break")
    return f"NATS/1.0\r\n{lines}\r\n".encode()


def publish_frame(subject: str, reply: str, head: bytes, body: bytes) -> bytes:
    """PUB, or HPUB where there are headers."""
    answer = f"{reply} " if reply else ""
    if head:
        return b"".join((f"HPUB {subject} {answer}{len(head)} {len(head) + len(body)}\r\n".encode(), head, body, CRLF))
    return b"".join((f"PUB {subject} {answer}{len(body)}\r\n".encode(), body, CRLF))


def subscribe_frame(subject: str, subscription: int) -> bytes:
    """SUB."""
    return f"SUB {subject} {subscription}\r\n".encode()


def unsubscribe_frame(subscription: int) -> bytes:
    """UNSUB."""
    return f"UNSUB {subscription}\r\n".encode()


def connect_frame(options: Mapping[str, Any]) -> bytes:
    """CONNECT, and a PING whose PONG says that we were let in."""
    return b"CONNECT " + json.dumps(options, separators=(",", ":")).encode() + CRLF + PING
