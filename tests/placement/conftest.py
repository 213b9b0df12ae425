"""A nats-server and a client of it for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from aggregate.placement.store import BUCKET, PlacementStore
from aggregate.stream import StreamClient
from aggregate.testing.nats import EmbeddedNats


@pytest.fixture
async def nats() -> AsyncIterator[EmbeddedNats]:
    async with EmbeddedNats() as server:
        yield server


@pytest.fixture
async def log(nats: EmbeddedNats) -> AsyncIterator[StreamClient]:
    client = await StreamClient.connect([nats.url])
    yield client
    await client.close()


@pytest.fixture
def store(log: StreamClient) -> PlacementStore:
    return PlacementStore(log.bucket(BUCKET))
