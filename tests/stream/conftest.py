"""Every test of the contract runs on the log in memory and on a real nats-server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from aggregate.stream import StreamClient
from aggregate.stream.events import EventStream
from aggregate.testing.memory_stream import MemoryStream
from aggregate.testing.nats import EmbeddedNats


@pytest.fixture
async def nats() -> AsyncIterator[EmbeddedNats]:
    """A server of its own."""
    async with EmbeddedNats() as server:
        yield server


@pytest.fixture
async def client(nats: EmbeddedNats) -> AsyncIterator[StreamClient]:
    """A client of that server."""
    stream = await StreamClient.connect([nats.url], monitors=[nats.monitor_url])
    yield stream
    await stream.close()


@pytest.fixture(params=["memory", "jetstream"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[EventStream]:
    """The log, both ways."""
    if request.param == "memory":
        yield MemoryStream()
        return
    async with EmbeddedNats() as server:
        stream = await StreamClient.connect([server.url])
        yield stream
        await stream.close()
