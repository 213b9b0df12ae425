"""The proxy does what it is told, and the counter counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.faults.frames import FrameCounter, Meter
from tests.faults.proxy import Proxy


@asynccontextmanager
async def echo() -> AsyncIterator[Proxy]:
    """A proxy before a server that says everything back."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.write(b"bye")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        async with Proxy(server.sockets[0].getsockname()[:2], Meter()) as proxy:
            yield proxy
    finally:
        server.close()


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def ended(reader: asyncio.StreamReader) -> None:
    """The connection is reset, or closed without a word."""
    with suppress(ConnectionError):
        assert await reader.read() == b""


async def test_what_is_held_comes_later_and_in_order() -> None:
    async with echo() as proxy, connected(proxy) as (reader, writer):
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        proxy.down.hold()
        writer.write(b"two")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(3), 0.05)
        proxy.heal()
        assert await reader.readexactly(3) == b"two"


async def test_what_is_lost_never_comes_and_the_connection_goes_with_it() -> None:
    async with echo() as proxy, connected(proxy) as (reader, writer):
        proxy.down.losing = True
        writer.write(b"PING\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        assert proxy.meter is not None
        assert proxy.meter.frames == {"PING": 1}
        proxy.heal()
        await ended(reader)


async def test_half_closed_the_far_side_hears_the_end_and_can_still_answer() -> None:
    async with echo() as proxy, connected(proxy) as (reader, writer):
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        proxy.half_close()
        assert await reader.read() == b"bye"


async def test_refusing_ends_what_there_is_and_lets_nothing_new_in() -> None:
    async with echo() as proxy, connected(proxy) as (reader, writer):
        writer.write(b"one")
        await reader.readexactly(3)
        proxy.refuse()
        await ended(reader)
        async with connected(proxy) as (other, _):
            await ended(other)
        proxy.heal()
        async with connected(proxy) as (third, into):
            into.write(b"two")
            assert await third.readexactly(3) == b"two"


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
def test_frames_are_counted_however_they_are_cut(cut: int) -> None:
    wire = (
        b'CONNECT {"a":1}\r\nPING\r\nSUB x 1\r\nPUB a.b 9\r\nPUB x 0\r\n\r\nHPUB a.b _INBOX.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n'
        b"PUB a.c r 0\r\n\r\nPONG\r\nMSG a 1 2\r\nhi\r\n"
    )
    meter = Meter()
    counter = FrameCounter(meter)
    for start in range(0, len(wire), cut):
        counter.feed(wire[start : start + cut])
    assert meter.frames == {"CONNECT": 1, "PING": 1, "SUB": 1, "PUB": 2, "HPUB": 1, "PONG": 1, "MSG": 1}
    assert meter.requests == {"a.b": 1, "a.c": 1}
