"""`aggregate serve` and `doctor`: a node and a log that comes and goes."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aggregate.client import AggregateClient
from aggregate.errors import Unavailable
from aggregate.stream import StreamClient
from aggregate.testing.nats import EmbeddedNats
from aggregate.testing.ports import free_port
from aggregate.types import AggregateId

from .processes import finished, running

LOOPBACK = {"AGGREGATE_GRPC_ADDRESS": "127.0.0.1:0", "AGGREGATE_ADMIN_ADDRESS": "127.0.0.1:0"}
OPEN = {"type": "open_account", "initial_balance": 0}


async def ask(address: str, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as response:
        return response.status, await response.json()


async def until_ready(address: str, expected: int, but: str = "") -> Any:
    """The body of /ready once it has this status, and another reason than `but`; the test's own timeout bounds it."""
    while True:
        status, body = await ask(address, "/ready")
        if status == expected and but not in body["reasons"]:
            return body
        await asyncio.sleep(0.05)


async def test_a_node_without_nats_stays_up_says_why_and_gets_ready(tmp_path: Path) -> None:
    port = free_port()
    async with running("serve", "--json", cwd=tmp_path, AGGREGATE_NATS_URL=f"nats://127.0.0.1:{port}", **LOOPBACK) as node:
        admin, grpc = (node.ready["serving"][name] for name in ("admin", "grpc"))
        status, health = await ask(admin, "/health")
        assert (status, health["healthy"], health["nats_connected"], health["storage_connected"]) == (200, False, False, True)
        body = await until_ready(admin, 503, but="starting")
        assert body["ready"] is False
        assert "NATS" in body["reasons"][0]
        async with AggregateClient(grpc) as client:
            account = AggregateId.new_v7()
            with pytest.raises(Unavailable):
                await client.submit("Account", account, OPEN)
            async with EmbeddedNats(tmp_path / "nats", port=port) as nats:
                await until_ready(admin, 200)
                assert (await client.submit("Account", account, OPEN)).version == 1
                await nats.stop()
                assert (await until_ready(admin, 503))["reasons"]
                with pytest.raises(Unavailable):
                    await client.submit("Account", account, {"type": "deposit", "amount": 1})
                await nats.start()
                await until_ready(admin, 200)
                assert (await client.submit("Account", account, {"type": "deposit", "amount": 1})).version == 2
        code, out, err = await node.stop(signal.SIGINT)
    assert (code, err) == (0, "")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events[-1] == "stopped"
    assert "ready" in events
    assert "command accepted" in events
    assert events.index("ready again") > events.index("not ready", events.index("ready"))


async def test_a_node_that_hangs_while_it_stops_is_ended_by_force_and_tells_where(tmp_path: Path) -> None:
    code = """
import time
import aggregate.cli.serve as serve
serve.CLOSING = 0.2
async def hang(self): time.sleep(100)
serve.Node.stop = hang
from aggregate.cli import main
main()
"""
    env = {"AGGREGATE_NATS_URL": "nats://127.0.0.1:1", "AGGREGATE_DRAIN_TIMEOUT": "0.1"}
    async with running("serve", cwd=tmp_path, code=code, **env, **LOOPBACK) as node:
        ended, out, err = await node.stop()
    assert ended == 6
    assert json.loads(out.splitlines()[-1])["event"] == "ended by force: stopping took too long"
    assert "in hang" in err


async def test_wrong_settings_are_told_all_at_once(tmp_path: Path) -> None:
    code, out, err = await finished("serve", cwd=tmp_path, AGGREGATE_MAX_RETRIES="many", AGGREGATE_MAXRETRIES="3")
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 3
    assert "AGGREGATE_NATS_URL" in err


async def test_a_second_node_on_the_same_storage_folder_is_refused(tmp_path: Path) -> None:
    env = {"AGGREGATE_NATS_URL": f"nats://127.0.0.1:{free_port()}", **LOOPBACK}
    async with running("serve", cwd=tmp_path, **env) as node:
        code, _, err = await finished("serve", cwd=tmp_path, **env)
        assert code == 3
        assert err.splitlines()[-1].startswith("config: storage_path: ")
        assert (await node.stop())[0] == 0


async def doctor(tmp_path: Path, url: str) -> dict[str, dict[str, str]]:
    code, out, _ = await finished("doctor", "--json", cwd=tmp_path, AGGREGATE_NATS_URL=url, **LOOPBACK)
    findings = {finding["check"]: finding for finding in map(json.loads, out.splitlines())}
    assert code == 0, findings
    return findings


async def test_the_doctor_finds_a_healthy_place_healthy_and_changes_nothing(tmp_path: Path) -> None:
    async with EmbeddedNats() as nats:
        findings = await doctor(tmp_path, nats.url)
        assert "not there yet" in findings["log"]["message"]
        assert "not there yet" in (await doctor(tmp_path, nats.url))["log"]["message"]
    assert set(findings) == {"version", "settings", "engine", "nats-server", "programs", "log", "storage", "gRPC port", "admin port"}
    assert not (tmp_path / "data").exists()


async def test_the_doctor_says_what_an_acknowledgement_means(tmp_path: Path) -> None:
    async with EmbeddedNats() as nats:
        stream = await StreamClient.connect([nats.url])  # makes the stream
        await stream.close()
        message = (await doctor(tmp_path, nats.url))["log"]["message"]
    assert message.startswith("an acknowledged command ")


async def test_the_doctor_tells_what_is_wrong(tmp_path: Path) -> None:
    code, out, _ = await finished("doctor", cwd=tmp_path, AGGREGATE_NATS_URL=f"nats://127.0.0.1:{free_port()}", **LOOPBACK)
    assert code == 1
    assert [line.split()[1] for line in out.splitlines() if line.startswith("FAIL")] == ["log"]
    code, out, _ = await finished("doctor", cwd=tmp_path)
    assert code == 1
    assert "AGGREGATE_NATS_URL" in out
