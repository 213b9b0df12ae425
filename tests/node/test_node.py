"""`Node`: build, start, drain, stop, with a real nats-server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aggregate.client import AggregateClient
from aggregate.config import AggregateManifest, Settings
from aggregate.errors import AggregateError, ConfigError, Unavailable
from aggregate.node import Node
from aggregate.testing.nats import EmbeddedNats
from aggregate.testing.ports import free_port
from aggregate.types import AggregateId, Receipt

OPEN = {"type": "open_account", "initial_balance": 0}
DEPOSIT = {"type": "deposit", "amount": 1}


@pytest.fixture
async def nats() -> AsyncIterator[EmbeddedNats]:
    async with EmbeddedNats() as server:
        yield server


def settings(folder: Path, nats_url: str, **more: Any) -> Settings:
    return Settings(nats_url=nats_url, storage_path=folder / "storage", grpc_address="127.0.0.1:0", admin_address="127.0.0.1:0", **more)


@asynccontextmanager
async def started(given: Settings) -> AsyncIterator[Node]:
    node = Node(given)
    try:
        await node.start()
        yield node
    finally:
        await node.stop()


async def test_it_gets_ready_serves_counts_and_goes(nats: EmbeddedNats, tmp_path: Path) -> None:
    async with started(settings(tmp_path, nats.url)) as node:
        await node.wait_until_ready()
        health = node.health()
        assert (health.healthy, health.ready, health.reasons) == (True, True, ())
        assert health.durability.startswith("an acknowledged command ")
        account = AggregateId.new_v7()
        async with AggregateClient(node.grpc_address, tenant_id="acme") as client:
            await client.submit("Account", account, OPEN)
            assert (await client.get("Account", account)).version == 1
        assert node.health().active_aggregates == 1
        exported = (await node.admin.get("/metrics")).text
        assert 'aggregate_commands_total{aggregate_type="Account",tenant_id="acme"} 1.0' in exported
        assert "aggregate_ready 1.0" in exported
        assert f'engine="{node.engine_name}"' in exported
        address = node.grpc_address
    async with AggregateClient(address) as client:
        with pytest.raises(Unavailable):
            await client.get("Account", account)


async def test_stopping_finishes_what_is_under_way_and_refuses_the_rest(nats: EmbeddedNats, tmp_path: Path) -> None:
    async with started(settings(tmp_path, nats.url)) as node:
        await node.wait_until_ready()
        account = AggregateId.new_v7()
        async with AggregateClient(node.grpc_address) as client:
            await client.submit("Account", account, OPEN)
            submitting = [asyncio.create_task(client.submit("Account", account, DEPOSIT)) for _ in range(50)]
            await asyncio.wait(submitting, return_when=asyncio.FIRST_COMPLETED)
            await node.stop()
            outcomes = await asyncio.gather(*submitting, return_exceptions=True)
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    assert accepted
    assert all(isinstance(outcome, Receipt | Unavailable) for outcome in outcomes)
    async with started(settings(tmp_path, nats.url)) as again:
        await again.wait_until_ready()
        async with AggregateClient(again.grpc_address) as client:
            assert (await client.get("Account", account)).version == 1 + len(accepted)


async def test_two_nodes_write_one_aggregate_without_gap_or_twin(nats: EmbeddedNats, tmp_path: Path) -> None:
    async with (
        started(settings(tmp_path / "a", nats.url, max_retries=50)) as one,
        started(settings(tmp_path / "b", nats.url, max_retries=50)) as two,
    ):
        await asyncio.gather(one.wait_until_ready(), two.wait_until_ready())
        account = AggregateId.new_v7()
        async with AggregateClient(one.grpc_address) as first, AggregateClient(two.grpc_address) as second:
            await first.submit("Account", account, OPEN)
            await asyncio.gather(*(client.submit("Account", account, DEPOSIT) for client in (first, second) * 10))
            events = await second.read_events("Account", account)
            states = await asyncio.gather(first.get("Account", account), second.get("Account", account))
    assert [event.version for event in events] == [*range(1, 22)]
    assert states[0].state_hash == states[1].state_hash


async def test_without_nats_it_is_up_and_says_why_it_is_not_ready(tmp_path: Path) -> None:
    async with started(settings(tmp_path, f"nats://127.0.0.1:{free_port()}")) as node:
        health = (await node.admin.get("/health")).json()
        assert (health["healthy"], health["nats_connected"], health["storage_connected"]) == (False, False, True)
        ready = await node.admin.get("/ready")
        assert (ready.status, ready.json()["ready"]) == (503, False)
        async with AggregateClient(node.grpc_address) as client:
            with pytest.raises(Unavailable) as caught:
                await client.submit("Account", AggregateId.new_v7(), OPEN)
        assert caught.value.reason == "starting"


async def test_a_folder_that_has_seen_a_log_is_not_given_an_empty_one(nats: EmbeddedNats, tmp_path: Path) -> None:
    async with started(settings(tmp_path, nats.url)) as node:
        await node.wait_until_ready()
    async with EmbeddedNats() as other, started(settings(tmp_path, other.url)) as node:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.shield(node.wait_until_ready())
        assert "not there" in node.health().reasons[0]


async def test_a_weak_store_is_refused_where_durability_is_strict(tmp_path: Path) -> None:
    async with (
        EmbeddedNats(extra={"jetstream": {"store_dir": str(tmp_path / "js"), "sync_interval": "2m"}}) as weak,
        started(settings(tmp_path, weak.url, durability="strict")) as node,
    ):
        with pytest.raises(ConfigError, match="strict"):
            await node.run()


async def test_a_mistake_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    manifest = AggregateManifest.of_sources({"Account": "this is no program"})
    with pytest.raises(ConfigError, match="Account"):
        Node(settings(tmp_path, "nats://127.0.0.1:4222", aggregates=manifest))
    assert not (tmp_path / "storage").exists()


async def test_stopping_a_node_that_never_started_is_no_error(tmp_path: Path) -> None:
    await Node(settings(tmp_path, "nats://127.0.0.1:4222")).stop()


async def test_a_failed_start_leaves_nothing_open(nats: EmbeddedNats, tmp_path: Path) -> None:
    async with started(settings(tmp_path / "a", nats.url)) as node:
        blocked = settings(tmp_path / "b", nats.url).model_copy(update={"grpc_address": node.grpc_address})
        other = Node(blocked)
        with pytest.raises(AggregateError, match="cannot listen"):
            await other.start()
        await other.stop()
        async with started(settings(tmp_path / "b", nats.url)) as third:  # the folder is free again
            await third.wait_until_ready()


@pytest.mark.parametrize("turns", range(6))
async def test_a_stop_that_comes_with_a_change_of_the_connection_is_heard(nats: EmbeddedNats, tmp_path: Path, turns: int) -> None:
    async with started(settings(tmp_path, nats.url)) as node:
        await node.wait_until_ready()
        running = asyncio.create_task(node.run())
        await asyncio.sleep(0.05)  # it waits for a change now
        node._changed.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running], timeout=5)
        assert running.cancelled()
