"""A node verifies what it keeps, and says so when something is wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from aggregate.client import AggregateClient
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId

from .test_node import DEPOSIT, OPEN, settings, started


async def test_a_wrong_state_is_counted_told_and_dropped(tmp_path: Path) -> None:
    async with EmbeddedNats() as nats, started(settings(tmp_path, nats.url, verify_interval=0.01)) as node:
        await node.wait_until_ready()
        account = AggregateId.new_v7()
        async with AggregateClient(node.grpc_address) as client:
            await client.submit("Account", account, OPEN)
            handler = node._handler
            assert handler is not None
            key = AggregateKey(TenantId(), AggregateType("Account"), account)
            loaded = handler._cache.get(key)
            assert loaded is not None
            handler._cache.drop(key)
            handler._cache.put(replace(loaded, state=handler._programs.get(key.aggregate_type).state(b'{"balance":999}')))
            async with asyncio.timeout(30):
                while not node.health().warnings:  # noqa: ASYNC110 - nothing announces it
                    await asyncio.sleep(0.005)
            assert (await client.submit("Account", account, DEPOSIT)).version == 2
            assert (await client.get("Account", account)).state.value["balance"] == 1
        assert node.health().ready
        assert f"cached state of {key} at version 1 is not what its events make" in node.health().warnings[0]
        metrics = (await node.admin.get("/metrics")).text
        assert "aggregate_snapshot_mismatches_total 1.0" in metrics
        assert "aggregate_snapshot_verifications_total" in metrics
        assert (await node.admin.get("/ready")).json()["warnings"] == list(node.health().warnings)


async def test_none_is_verified_where_the_interval_is_nothing(tmp_path: Path) -> None:
    async with EmbeddedNats() as nats, started(settings(tmp_path, nats.url, verify_interval=0)) as node:
        await node.wait_until_ready()
        assert node._verifying is None
        assert "aggregate_snapshot_verifications_total 0.0" in (await node.admin.get("/metrics")).text
