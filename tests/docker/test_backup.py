"""`swarm/backup.py` on real servers: what is restored is the same log, and `aggregate replay` says so."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from aggregate.client import AggregateClient
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateId
from tests.cli.processes import finished, running
from tests.cli.test_serve import until_ready

from .engine import ROOT

LOOPBACK = {"AGGREGATE_GRPC_ADDRESS": "127.0.0.1:0", "AGGREGATE_ADMIN_ADDRESS": "127.0.0.1:0"}


async def backup(url: str, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "swarm/backup.py"),
        *arguments,
        env={"NATS_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return await process.wait(), out.decode()


async def fill(folder: Path, url: str) -> None:
    """A node, three accounts, a refusal."""
    async with (
        running("serve", "--json", cwd=folder, AGGREGATE_NATS_URL=url, AGGREGATE_STORAGE_PATH="node", **LOOPBACK) as node,
        AggregateClient(node.ready["serving"]["grpc"]) as client,
    ):
        await until_ready(node.ready["serving"]["admin"], 200)
        for amount in range(3):
            account = AggregateId.new_v7()
            await client.submit("Account", account, {"type": "open_account", "initial_balance": amount})
            await client.submit("Account", account, {"type": "deposit", "amount": 7})
        await node.stop()


async def test_a_log_is_saved_restored_elsewhere_and_replays(tmp_path: Path) -> None:
    saved = str(tmp_path / "saved")
    async with EmbeddedNats(tmp_path / "one") as nats:
        assert await backup(nats.url, "save", saved) == (1, "backup.py: there is no stream AGGREGATE_EVENTS: nothing to save\n")
        await fill(tmp_path, nats.url)
        code, told = await backup(nats.url, "save", saved)
        assert code == 0, told
        found = re.search(r"saved AGGREGATE_EVENTS: (\d+) messages", told)
        assert found is not None, told
        assert int(found[1]) >= 9  # of each account: its owner, two commits; and what readers wrote to know their place, for a minute
        code, told = await backup(nats.url, "restore", saved)
        assert code == 1, "over a log that is there"
    async with EmbeddedNats(tmp_path / "two") as nats:
        code, told = await backup(nats.url, "restore", saved, "--replicas", "1")
        assert code == 0, told
        assert "restored KV_AGGREGATE_PROGRAMS" in told
        code, out, err = await finished(
            "replay", "--all", "--json", cwd=tmp_path, AGGREGATE_NATS_URL=nats.url, AGGREGATE_STORAGE_PATH="other"
        )
        assert code == 0, out + err
        assert '"aggregates": 3, "commits": 6, "decided": 6' in out
        await fill(tmp_path, nats.url)


async def test_a_damaged_copy_is_not_restored(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path / "one") as nats:
        await fill(tmp_path, nats.url)
        assert (await backup(nats.url, "save", str(tmp_path / "saved")))[0] == 0
    path = tmp_path / "saved/AGGREGATE_EVENTS.snapshot"
    path.write_bytes(path.read_bytes()[:-1])
    async with EmbeddedNats(tmp_path / "two") as nats:
        code, told = await backup(nats.url, "restore", str(tmp_path / "saved"))
        assert (code, told) == (1, "backup.py: AGGREGATE_EVENTS.snapshot is damaged: it is not what was saved\n")
