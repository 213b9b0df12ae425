"""A log that was lost, or put back from a copy, under a node that remembers more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aggregate.client import AggregateClient
from aggregate.errors import NotFound
from aggregate.types import AggregateId

from .processes import ANY_PORTS, finished, running


async def test_an_older_copy_of_the_log_is_noticed_and_nothing_is_answered_from_memory(tmp_path: Path) -> None:
    old, new = AggregateId.new_v7(), AggregateId.new_v7()
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev:
        async with AggregateClient(dev.ready["grpc"]) as client:
            await client.submit("Account", old, {"type": "open_account", "initial_balance": 10})
        assert (await dev.stop())[0] == 0
    shutil.copytree(tmp_path / "data" / "nats", tmp_path / "copy")
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev:
        async with AggregateClient(dev.ready["grpc"]) as client:
            await client.submit("Account", new, {"type": "open_account", "initial_balance": 10})
            for _ in range(150):
                await client.submit("Account", old, {"type": "deposit", "amount": 1})
        assert (await dev.stop())[0] == 0
    shutil.rmtree(tmp_path / "data" / "nats")
    shutil.move(tmp_path / "copy", tmp_path / "data" / "nats")
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev:
        async with AggregateClient(dev.ready["grpc"]) as client:
            state = await client.get("Account", old)
            assert (state.version, state.state.value["balance"]) == (1, 10)
            with pytest.raises(NotFound):
                await client.get("Account", new)
            assert (await client.submit("Account", old, {"type": "deposit", "amount": 1})).version == 2
        code, _, err = await dev.stop()
    assert code == 0
    assert "the log is not the one this node remembered" in err


async def test_a_missing_log_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev:
        assert (await dev.stop())[0] == 0
    shutil.rmtree(tmp_path / "data" / "nats")
    code, _, err = await finished("dev", *ANY_PORTS, cwd=tmp_path, AGGREGATE_DRAIN_TIMEOUT="1")
    assert code == 3
    assert "AGGREGATE_EVENTS" in err
