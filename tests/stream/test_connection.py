"""One connection: what it says when it ends, whatever ends it, and what it never does."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from aggregate.stream import connection as module
from aggregate.stream.connection import Connection, ConnectionLost, NoResponders, NotSent
from aggregate.stream.nats_client import Message
from aggregate.testing.nats import EmbeddedNats
from tests.stream.waiting import eventually

INFO = b"INFO " + json.dumps({"version": "2.15.1", "max_payload": 1 << 20, "headers": True}).encode() + b"\r\n"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Connection]:
    connection = Connection(url)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close(0.1)


@asynccontextmanager
async def impostor(then: Serve) -> AsyncIterator[str]:
    """The URL of a server that lets us in, and then does something else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        await reader.readuntil(b"PING\r\n")
        writer.write(b"PONG\r\n")
        await reader.readuntil(b"\r\n")  # the subscription to the inbox
        await then(reader, writer)
        await over.wait()
        writer.close()

    over = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    over.set()
    server.close()


async def test_an_answer_and_nobody_there(nats: EmbeddedNats) -> None:
    async with opened(nats.url) as connection:
        await connection.subscribe("echo", lambda message: answer(connection, message))
        assert (await connection.request("echo", b"body")).data == b"body"
        with pytest.raises(NoResponders):
            await connection.request("nobody")
        assert not connection._waiting


answers: set[asyncio.Task[None]] = set()


def answer(connection: Connection, message: Message | None) -> None:
    if message is not None:
        task = asyncio.ensure_future(connection.publish(message.reply, message.data, message.headers))
        answers.add(task)
        task.add_done_callback(answers.discard)


async def test_a_line_break_in_a_header_makes_no_other_header(nats: EmbeddedNats) -> None:
    async with opened(nats.url) as connection:
        await connection.subscribe("echo", lambda message: answer(connection, message))
        inbox = connection.new_inbox()
        heard: list[Message | None] = []
        await connection.subscribe(inbox, heard.append)
        for headers in ({"a": "b\r\nNats-Rollup: all", "c": "d:e"}, {"a\r\nb": "c"}, {"a": "b\nc"}, {"a": "b\r"}):
            with pytest.raises(ValueError, match="line break"):
                await connection.publish("echo", b"", headers, inbox)
        await connection.publish("echo", b"", {"a": "b", "c": "d:e"}, inbox)
        await eventually(lambda: bool(heard))
        assert heard[0] is not None
        assert heard[0].headers == {"a": "b", "c": "d:e"}


async def test_no_message_after_unsubscribing(nats: EmbeddedNats) -> None:
    async with opened(nats.url) as connection:
        heard: list[Message | None] = []
        number = await connection.subscribe("a", heard.append)
        await connection.publish("a", b"1")
        await eventually(lambda: len(heard) == 1)
        await connection.unsubscribe(number)
        await connection.unsubscribe(number)
        await connection.publish("a", b"2")
        with pytest.raises(NoResponders):
            await connection.request("a")
        assert len(heard) == 1


async def test_after_the_end_nothing_is_sent(nats: EmbeddedNats) -> None:
    connection = Connection(nats.url)
    with pytest.raises(NotSent):
        await connection.publish("a", b"")
    await connection.open()
    heard: list[Message | None] = []
    await connection.subscribe("a", heard.append)
    connection.abort()
    assert heard == [None]
    assert connection.lost.result() == "the connection was closed"
    for late in (connection.publish("a", b""), connection.request("a"), connection.subscribe("a", heard.append)):
        with pytest.raises(NotSent):
            await late
    await connection.close()


@pytest.mark.parametrize(
    "noise", [b"HTTP/1.1 200 OK\r\n", b"-ERR unquoted\r\n", b"MSG \xff 1 0\r\n\r\n", b"INFO {\r\n", b"-ERR 'Stale Connection'\r\n", b""]
)
async def test_noise_ends_a_connection_at_once(noise: bytes) -> None:
    async def then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"ask")
        writer.write(noise) if noise else writer.close()

    async with impostor(then) as url, opened(url) as connection:
        began = time.monotonic()
        with pytest.raises(ConnectionLost) as caught:
            await connection.request("a", b"ask", timeout=60)
        assert not isinstance(caught.value, NotSent)
        assert time.monotonic() - began < 4
        assert not connection.is_open
        assert connection.lost.result()


async def test_a_frozen_peer_is_noticed_whatever_is_still_to_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_INTERVAL", 0.1)

    async def freeze(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]

    async with impostor(freeze) as url, opened(url) as connection:
        requests = [asyncio.ensure_future(connection.request("a", b"x" * 500_000, timeout=60)) for _ in range(100)]
        began = time.monotonic()
        results = await asyncio.gather(*requests, return_exceptions=True)
        assert time.monotonic() - began < 5
        assert all(isinstance(result, ConnectionLost) for result in results)
        assert connection.lost.result() == "stale connection"


async def test_the_system_ends_a_connection_whose_peer_takes_nothing(nats: EmbeddedNats) -> None:
    async with opened(nats.url) as connection:
        socket_ = connection._nats._transport._io_writer.get_extra_info("socket")  # type: ignore[union-attr]
        assert socket_.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == module.UNRECEIVED * 1000


async def test_much_at_once_waits_for_room(nats: EmbeddedNats) -> None:
    async with opened(nats.url) as connection:
        sizes: list[int] = []
        await connection.subscribe("a", lambda message: sizes.append(0 if message is None else len(message.data)))
        await asyncio.gather(*(connection.publish("a", b"x" * 500_000) for _ in range(40)))
        for _ in range(40):
            await connection.publish("a", b"x" * 500_000)
            assert connection._nats.unwritten <= module.MOST_PENDING + 501_000
        await eventually(lambda: len(sizes) == 80)
        assert set(sizes) == {500_000}


async def test_a_server_that_wants_no_tls_is_not_spoken_to_where_we_want_it(nats: EmbeddedNats) -> None:
    said = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal said
        writer.write(INFO)
        said = await reader.read(1000)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with pytest.raises(ConnectionLost):
        await Connection(f"tls://user:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}").open()
    server.close()
    assert b"CONNECT" not in said
    with pytest.raises(ConnectionLost):
        await Connection(nats.url.replace("nats://", "tls://")).open()


async def test_a_server_that_says_nothing_is_given_up() -> None:
    over = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    with pytest.raises(ConnectionLost, match="no answer in time"):
        await Connection(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}").open(0.2)
    over.set()
    server.close()


async def test_a_server_that_goes_right_after_the_handshake_is_a_lost_connection_and_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    async def greet_and_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"headers":true}\r\n')
        while (line := await reader.readline()) and not line.startswith(b"PING"):
            pass
        writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(greet_and_go, "127.0.0.1", 0)
    async with server:
        url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for _ in range(20):
            connection = Connection(url)
            try:
                await connection.open()
                await asyncio.wait_for(asyncio.shield(connection.lost), 5)
            except ConnectionLost:
                pass
            finally:
                connection.abort()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
