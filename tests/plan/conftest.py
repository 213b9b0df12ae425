"""Each numbered test has a nats-server and a storage folder of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from aggregate.testing import Environment


@pytest.fixture
async def environment() -> AsyncIterator[Environment]:
    """What `AggregateHandler.new_test()` and its like share within the test."""
    async with Environment() as entered:
        yield entered
