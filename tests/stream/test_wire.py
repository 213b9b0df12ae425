"""The NATS protocol: frames come out whole however the bytes are cut, and what is not NATS is refused."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate.stream.wire import (
    Control,
    Frame,
    Info,
    Message,
    ProtocolError,
    Reader,
    ServerError,
    header_block,
    parse_headers,
    publish_frame,
)

HEAD = header_block({"Nats-Msg-Id": "m"})
STREAM = (
    b'INFO {"version":"2.15.1"}\r\n'
    b"PING\r\n"
    b"MSG a.b 2 5\r\nhe\r\no\r\n"
    b"MSG a.b 3 reply.to 0\r\n\r\n"
    b"HMSG c 4 %d %d\r\n%sbody\r\n"
    % (len(HEAD), len(HEAD) + 4, HEAD)
    + b"HMSG c 4 reply 30 30\r\nNATS/1.0 503 No Responders\r\n\r\n\r\n"
    + b"-ERR 'Authorization Violation'\r\n+OK\r\nPONG\r\n"
)
FRAMES: list[Frame] = [
    Info({"version": "2.15.1"}),
    Control(b"PING"),
    Message("a.b", 2, "", b"", b"he\r\no"),
    Message("a.b", 3, "reply.to", b"", b""),
    Message("c", 4, "", HEAD, b"body"),
    Message("c", 4, "reply", b"NATS/1.0 503 No Responders\r\n\r\n", b""),
    ServerError("Authorization Violation"),
    Control(b"+OK"),
    Control(b"PONG"),
]


def test_frames_of_one_read() -> None:
    assert Reader().feed(STREAM) == FRAMES


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_frames_of_any_cut(cuts: list[int]) -> None:
    reader = Reader()
    places = [0, *sorted(cuts), len(STREAM)]
    found = [frame for start, end in itertools.pairwise(places) for frame in reader.feed(STREAM[start:end])]
    assert found == FRAMES


def test_byte_by_byte() -> None:
    reader = Reader()
    assert [frame for byte in STREAM for frame in reader.feed(bytes([byte]))] == FRAMES


def test_a_large_message_in_many_pieces() -> None:
    body = b"x\r\n" * 1_000_000
    stream = b"MSG s 1 %d\r\n%s\r\nPING\r\n" % (len(body), body)
    reader = Reader()
    found = [frame for start in range(0, len(stream), 65536) for frame in reader.feed(stream[start : start + 65536])]
    assert found == [Message("s", 1, "", b"", body), Control(b"PING")]


@pytest.mark.parametrize(
    "noise",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"\r\n",
        b"MSG a 1\r\n",
        b"MSG a x 5\r\nhello\r\n",
        b"MSG a 1 -5\r\n\r\n\r\n",
        b"MSG a 1 3\r\nhello\r\n",
        b"HMSG a 1 9 3\r\nabc\r\n",
        b"HMSG a 1 -1 3\r\nabc\r\n",
        b"MSGX a 1 3\r\nabc\r\n",
        b"INFO {\r\n",
        b"INFO []\r\n",
        b"x" * (1 << 20) + b"xx",
    ],
)
def test_what_is_not_nats_is_refused(noise: bytes) -> None:
    with pytest.raises(ProtocolError):
        Reader().feed(noise)


@given(st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_noise_never_does_anything_else(noise: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        Reader().feed(noise + b"\r\n")


def test_status_and_headers() -> None:
    message = Message("s", 1, "", b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 3\r\n\r\n", b"")
    assert (message.status, message.description) == (408, "Request Timeout")
    assert message.headers == {"Nats-Pending-Messages": "3"}
    assert Message("s", 1, "", HEAD, b"").status == 0
    assert parse_headers(b"") == {}


def test_publishing() -> None:
    assert publish_frame("s", "", b"", b"abc") == b"PUB s 3\r\nabc\r\n"
    assert publish_frame("s", "r", b"", b"abc") == b"PUB s r 3\r\nabc\r\n"
    assert publish_frame("s", "r", HEAD, b"abc") == b"HPUB s r %d %d\r\n%sabc\r\n" % (len(HEAD), len(HEAD) + 3, HEAD)
