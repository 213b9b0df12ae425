"""The stream and the contract on durability: made when absent, reported when different, never changed."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from aggregate.config import Settings
from aggregate.errors import ConfigError, Unavailable
from aggregate.stream import StreamClient
from aggregate.stream.connection import Connection
from aggregate.stream.durability import SyncInterval, judge, sync_seconds
from aggregate.stream.jetstream import call
from aggregate.stream.setup import StreamFacts, differences, stream_configuration
from aggregate.stream.subjects import STREAM_NAME
from aggregate.testing.nats import EmbeddedNats
from tests.stream.messages import new_key, new_message, written
from tests.stream.waiting import eventually

FACTS = StreamFacts(replicas=1, differences=(), created="2026-01-31T12:00:00Z", last_sequence=0, persist_mode="default")
SERVER = {"version": "2.15.1"}
ALWAYS = SyncInterval(0.0)


async def make_stream(nats: EmbeddedNats, **members: Any) -> None:
    connection = Connection(nats.url)
    await connection.open()
    await call(connection, f"STREAM.CREATE.{STREAM_NAME}", {**stream_configuration(1), **members})
    await connection.close()


async def test_the_stream_is_made_as_it_should_be(nats: EmbeddedNats, client: StreamClient) -> None:
    assert client.facts is not None
    assert client.facts.differences == ()
    health = client.health()
    assert health.stream_ok
    assert health.ready
    assert health.durability == "an acknowledged command stands on the one server there is, written through to the disk"
    connection = Connection(nats.url)
    await connection.open()
    found = (await call(connection, f"STREAM.INFO.{STREAM_NAME}"))["config"]
    await connection.close()
    assert {name: found[name] for name in ("discard", "deny_delete", "deny_purge", "allow_direct", "allow_atomic", "allow_msg_ttl")} == {
        "discard": "new",
        "deny_delete": True,
        "deny_purge": True,
        "allow_direct": True,
        "allow_atomic": True,
        "allow_msg_ttl": True,
    }
    assert found["duplicate_window"] == 120 * 10**9
    assert found["subjects"] == ["tenant.*.aggregate.>", "owner.*", "confirm.*"]


async def test_a_stream_that_differs_is_reported_and_left_alone(nats: EmbeddedNats) -> None:
    await make_stream(nats, deny_purge=False, max_age=3600 * 10**9)
    for _ in range(2):
        client = await StreamClient.connect([nats.url], monitors=[nats.monitor_url])
        health = client.health()
        await client.close()
        assert health.ready
        assert not health.stream_ok
        assert "max_age is 3600000000000, should be 0" in health.durability
        assert "deny_purge is False, should be True" in health.durability


async def test_strict_refuses_a_stream_that_differs(nats: EmbeddedNats) -> None:
    await make_stream(nats, deny_delete=False)
    with pytest.raises(ConfigError, match="deny_delete"):
        await StreamClient.connect([nats.url], durability="strict", monitors=[nats.monitor_url])


async def test_strict_refuses_what_it_cannot_find_out(nats: EmbeddedNats) -> None:
    with pytest.raises(ConfigError, match="sync_interval"):
        await StreamClient.connect([nats.url], durability="strict")
    client = await StreamClient.connect([nats.url], durability="strict", monitors=[nats.monitor_url])
    key = new_key()
    await client.append(key, *written(new_message(key)), expected=0)
    await client.close()


async def test_strict_takes_nothing_before_the_store_was_seen() -> None:
    client = await StreamClient.connect(["nats://127.0.0.1:1"], durability="strict")
    key = new_key()
    with pytest.raises(Unavailable):
        await client.append(key, *written(new_message(key)), expected=0)
    assert any("strict" in reason for reason in client.reasons())
    await client.close()


async def test_a_server_that_syncs_later_is_weak() -> None:
    async with EmbeddedNats() as nats:
        await nats.stop()
        nats._extra = {"jetstream": {"store_dir": str(nats.folder / "jetstream"), "sync_interval": "2m"}}
        await nats.start()
        client = await StreamClient.connect([nats.url], monitors=[nats.monitor_url])
        assert "fsync every 2 min" in client.durability
        assert "a power cut may take back the last 2 min" in client.durability
        await client.close()


async def test_strict_and_warn_while_it_runs(nats: EmbeddedNats) -> None:
    strict = await StreamClient.connect([nats.url], durability="strict", monitors=[nats.monitor_url])
    warned = await StreamClient.connect([nats.url], durability="warn", monitors=[nats.monitor_url])
    try:
        for interval in ("2m", "always"):
            await nats.stop()
            nats._extra = {"jetstream": {"store_dir": str(nats.folder / "jetstream"), "sync_interval": interval}}
            await nats.start()
            await eventually(lambda: ("fsync every 2 min" in warned.durability) == (interval == "2m"))  # noqa: B023
            key = new_key()
            await warned.append(key, *written(new_message(key)), expected=0)
            key = new_key()
            if interval == "2m":
                await eventually(lambda: strict.connected and "sync_interval is not" in "".join(strict.reasons()))
                with pytest.raises(Unavailable, match="durability is strict: a power cut may take back the last 2 min"):
                    await strict.append(key, *written(new_message(key)), expected=0)
            else:
                await eventually(lambda: not strict.reasons())
                await strict.append(key, *written(new_message(key)), expected=0)
    finally:
        await strict.close()
        await warned.close()


async def test_strict_takes_nothing_between_a_new_connection_and_the_look(nats: EmbeddedNats, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await StreamClient.connect([nats.url], durability="strict", monitors=[nats.monitor_url])
    look, seen = asyncio.Event(), client._watch.look

    async def later(connection: Connection) -> None:
        await look.wait()
        await seen(connection)

    try:
        monkeypatch.setattr(client._watch, "look", later)
        await nats.stop()
        await nats.start()
        await eventually(lambda: client.connected)
        key = new_key()
        with pytest.raises(Unavailable, match="the store has not been looked at"):
            await client.append(key, *written(new_message(key)), expected=0)
        look.set()
        await eventually(lambda: not client.reasons())
        await client.append(key, *written(new_message(key)), expected=0)
    finally:
        await client.close()


async def test_a_server_that_is_down_counts_as_it_told_last(nats: EmbeddedNats) -> None:
    async with EmbeddedNats() as other:
        monitors = [nats.monitor_url, other.monitor_url]
        client = await StreamClient.connect([nats.url], durability="strict", monitors=monitors)
        await other.stop()
        await client.look()
        assert client.health().ready
        with pytest.raises(ConfigError, match="sync_interval cannot be read"):
            await StreamClient.connect([nats.url], durability="strict", monitors=monitors)
        await client.close()


async def test_the_system_account_tells_what_the_monitoring_port_does() -> None:
    accounts = {
        "SYS": {"users": [{"user": "sys", "password": "s"}]},
        "APP": {"jetstream": "enabled", "users": [{"user": "a", "password": "a"}]},
    }
    async with EmbeddedNats(extra={"accounts": accounts, "system_account": "SYS"}) as nats:
        connection = Connection(nats.url.replace("//", "//sys:s@"))
        await connection.open()
        from aggregate.stream.durability import read_sync_interval

        assert await read_sync_interval(connection, {}) == ALWAYS
        await connection.close()


async def test_a_stream_that_is_gone_is_not_made_by_a_node_that_remembers_one(nats: EmbeddedNats) -> None:
    client = await StreamClient.connect([nats.url], create=False)
    key = new_key()
    try:
        assert client.connected
        assert "not made anew" in client.missing
        assert client.health().reasons == (client.missing,)
        with pytest.raises(Unavailable) as caught:
            await client.append(key, *written(new_message(key)), expected=0)
        assert caught.value.reason == "stream_missing"
        await make_stream(nats)
        await client.look()
        assert client.health().ready
        await client.append(key, *written(new_message(key)), expected=0)
    finally:
        await client.close()


async def test_a_stream_that_vanishes_is_said(nats: EmbeddedNats, client: StreamClient) -> None:
    connection = Connection(nats.url)
    await connection.open()
    await call(connection, f"STREAM.DELETE.{STREAM_NAME}")
    await client.look()
    assert "is not there" in client.health().reasons[0]
    await make_stream(nats)
    await client.look()
    assert client.health().ready
    await connection.close()


async def test_programs_that_are_gone_are_not_made_anew_beside_a_log_with_messages(nats: EmbeddedNats, client: StreamClient) -> None:
    key = new_key()
    await client.append(key, *written(new_message(key)), expected=0)
    connection = Connection(nats.url)
    await connection.open()
    await call(connection, "STREAM.DELETE.KV_AGGREGATE_PROGRAMS")
    await client.look()
    assert "the bucket AGGREGATE_PROGRAMS is not there" in client.health().reasons[0]
    other = await StreamClient.connect([nats.url], create=False)
    assert "the bucket AGGREGATE_PROGRAMS is not there" in other.missing
    await other.close()
    await connection.close()


async def test_a_clock_that_is_off_is_said(client: StreamClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.facts is not None
    assert abs(client.facts.clock_ahead) < 5
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 45 * 10**9)
    await client.look()
    assert "clock is -45 s" in client.health().reasons[0]


async def test_a_client_of_the_settings(nats: EmbeddedNats) -> None:
    settings = Settings(nats_url=nats.url, nats_monitors=nats.monitor_url, node_id="n1", aggregate_id_scope="tenant", durability="strict")
    client = await StreamClient.of_settings(settings)
    assert client.health().ready
    assert not client.claims_owners
    await client.close()


def test_differences_are_found_and_harmless_members_are_not() -> None:
    wanted = stream_configuration(3)
    assert differences(wanted, json.loads(json.dumps(wanted))) == ()
    found = {**wanted, "metadata": {"_nats.ver": "2.15.1"}, "compression": "none", "max_msgs": 0}
    assert differences(wanted, found) == ()
    assert differences(wanted, {**found, "num_replicas": 1}) == ("num_replicas is 1, should be 3",)
    assert differences(wanted, {name: value for name, value in found.items() if name != "allow_atomic"}) == (
        "allow_atomic is False, should be True",
    )
    assert differences(wanted, {**found, "sources": [{"name": "x"}]}) == ("sources is set, should not be",)
    assert differences(wanted, {**found, "subjects": ["tenant.>"]})


@pytest.mark.parametrize(
    ("facts", "info", "sync", "word"),
    [
        (FACTS, {"version": "2.10.0"}, ALWAYS, "2.14.4 or later"),
        (FACTS, {}, ALWAYS, "2.14.4 or later"),
        (StreamFacts(3, (), "", 0, "async"), SERVER, ALWAYS, "persist_mode is async"),
        (FACTS, SERVER, SyncInterval(None), "cannot be read"),
        (StreamFacts(3, (), "", 0, "default"), SERVER, SyncInterval(120.0), "all servers at once"),
    ],
)
def test_every_weakness_is_said(facts: StreamFacts, info: dict[str, Any], sync: SyncInterval, word: str) -> None:
    judged = judge(info, facts, {}, sync, facts.replicas)
    assert len(judged.weaknesses) == 1
    assert word in judged.weaknesses[0]


def test_a_strong_store_is_said_in_one_sentence() -> None:
    three = StreamFacts(3, (), "", 0, "default")
    judged = judge(SERVER, three, {"AGGREGATE_PROGRAMS": 3}, ALWAYS, 3)
    assert str(judged) == "an acknowledged command stands on at least 2 of 3 replicas, written through to the disk"
    assert "has 1 replicas, should have 3" in judge(SERVER, three, {"AGGREGATE_PROGRAMS": 1}, ALWAYS, 3).weaknesses[0]


@pytest.mark.parametrize("varz", [None, {}, {"jetstream": {}}, {"jetstream": {"config": {"sync_interval": "x"}}}])
def test_a_varz_without_the_interval_is_unknown(varz: Any) -> None:
    assert sync_seconds(varz) is None
