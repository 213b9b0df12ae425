"""What a caller was told holds, whatever comes in between: found by fault campaigns, said again small."""

from __future__ import annotations

import asyncio
import time

import pytest

from aggregate.errors import DeadlineExceeded
from aggregate.stream.interface import StoredMessage
from aggregate.types import AggregateKey
from tests.handler.conftest import World, deposit, on


async def test_nothing_is_stored_for_a_caller_whose_deadline_passed_while_the_aggregate_was_loaded(world: World) -> None:
    node = await world.node()
    loading, last = asyncio.Event(), world.stream.last

    async def slow(key: AggregateKey) -> StoredMessage | None:
        await loading.wait()
        return await last(key)

    world.stream.last = slow  # type: ignore[method-assign]
    command = deposit()
    patient = asyncio.create_task(node.submit(on(command, {"type": "deposit", "amount": 1})))
    with pytest.raises(DeadlineExceeded, match="nothing was stored"):
        await node.submit(command, deadline=time.monotonic() + 0.02)
    loading.set()
    await patient
    assert await node.drain(5)
    assert [commit.command_id for commit in await world.commits(command)] == [patient.result().command_id]
