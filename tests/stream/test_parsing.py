"""Messages taken apart by our parser come out as from nats-py's, however the bytes come in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import nats.errors
import pytest
from nats.protocol.parser import Parser

from aggregate.stream.headers import header_lines
from aggregate.stream.nats_client import MessageParser, NatsClient, read_head

Taken = tuple[int, bytes, bytes, bytes, bytes | None]


class Recorder:
    """A client as a parser sees it."""

    def __init__(self) -> None:
        self.taken: list[Taken | str] = []

    def take(self, sid: int, subject: bytes, reply: bytes, data: bytes, head: bytes | None) -> None:
        self.taken.append((sid, subject, reply, bytes(data), None if head is None else bytes(head)))

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, head: bytes | None) -> None:
        self.take(sid, subject, reply, data, head)

    async def _process_ping(self) -> None:
        self.taken.append("ping")

    async def _process_pong(self) -> None:
        self.taken.append("pong")

    async def _process_err(self, words: str) -> None:
        self.taken.append(words)

    async def _process_info(self, values: dict[str, object]) -> None:
        self.taken.append(str(values))


STATUSES = [b"NATS/1.0 404\r\n\r\n", b"NATS/1.0 503 \r\n\r\n", b"NATS/1.0 409 Batch Completed\r\na: b\r\n\r\n"]
HEADS = [b"NATS/1.0\r\n\r\n", b"NATS/1.0\r\na: b\r\nNats-TTL: 5s\r\n\r\n", b"NATS/1.0 100 Idle Heartbeat\r\nx: y\r\n\r\n"]


def frame(chance: random.Random) -> bytes:
    body = chance.choice(
        [b"", b"x", b"\r\n", b"MSG a 1 5\r\nhello\r\n", bytes(chance.randrange(256) for _ in range(chance.randrange(300)))]
    )
    if chance.random() < 0.02:
        body = b"y" * 70_000
    reply = chance.choice([b"", b" _INBOX.r"])
    match chance.randrange(8):
        case 0:
            return chance.choice([b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"-ERR 'No'\r\n", b'INFO {"a":1}\r\n'])
        case 1 | 2 | 3:
            head = chance.choice(HEADS)
            return b"HMSG s.%d 7%b %d %d\r\n%b%b\r\n" % (chance.randrange(9), reply, len(head), len(head) + len(body), head, body)
        case _:
            return b"MSG s.%d 12%b %d\r\n%b\r\n" % (chance.randrange(9), reply, len(body), body)


async def taken(make: Callable[[Recorder], Parser], chunks: list[bytes]) -> list[Taken | str]:
    recorder = Recorder()
    parser = make(recorder)
    for chunk in chunks:
        await parser.parse(chunk)
    return recorder.taken


@pytest.mark.parametrize("seed", range(60))
def test_every_cut_gives_the_same_messages(seed: int) -> None:
    chance = random.Random(seed)
    data = b"".join(frame(chance) for _ in range(60))
    longest = chance.choice([1, 7, 100, 4096, 32768, 1 << 20])
    chunks, at = [], 0
    while at < len(data):
        size = chance.randint(1, longest)
        chunks.append(data[at : at + size])
        at += size
    mine = asyncio.run(taken(MessageParser, chunks))  # type: ignore[arg-type]
    assert mine == asyncio.run(taken(Parser, [data]))
    assert len(mine) >= 50


@pytest.mark.parametrize("wrong", [b"MSG a b\r\n", b"MSG a 1 x\r\nhello\r\n", b"HMSG a 1 5\r\nhello\r\n", b"MSG\r\n", b"HELLO\r\n"])
def test_what_is_no_message_is_refused(wrong: bytes) -> None:
    good = b"MSG a 1 2\r\nhi\r\n"
    with pytest.raises(nats.errors.ProtocolError):
        asyncio.run(taken(MessageParser, [good + wrong]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "head", [*HEADS, b"NATS/1.0 404\r\n\r\n", b"NATS/1.0 503 \r\n\r\n", b"NATS/1.0 409 Batch Completed\r\na: b\r\n\r\n"]
)
async def test_heads_are_read_as_by_nats_py(head: bytes) -> None:
    client = NatsClient(deliver=lambda *_: None, informed=lambda *_: None, ended=lambda *_: None, tls=False)
    assert read_head(head) == (await client._process_headers(head) or {})


def test_headers_come_back_as_they_went() -> None:
    headers = {"Nats-Msg-Id": "0190", "a": "b:c d", "empty": ""}
    assert read_head(b"NATS/1.0\r\n" + header_lines(headers) + b"\r\n") == headers
