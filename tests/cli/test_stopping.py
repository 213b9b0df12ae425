"""A real `serve` process stopped under load: nothing acknowledged is lost, and the exit code says how it went."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

from aggregate.client import AggregateClient
from aggregate.errors import AggregateError, Unavailable
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateId

from .processes import running
from .test_serve import LOOPBACK, OPEN, until_ready

DEPOSIT = {"type": "deposit", "amount": 1}


async def test_a_node_stopped_under_load_finishes_refuses_and_ends_well(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path / "nats") as nats:
        env = {"AGGREGATE_NATS_URL": nats.url, "AGGREGATE_LOG_LEVEL": "warning", **LOOPBACK}
        accepted = dict.fromkeys((AggregateId.new_v7() for _ in range(8)), 0)
        refused: list[AggregateError] = []
        async with running("serve", "--json", cwd=tmp_path, **env) as node:
            grpc = node.ready["serving"]["grpc"]
            await until_ready(node.ready["serving"]["admin"], 200)
            begun = asyncio.Event()

            async def load(client: AggregateClient, account: AggregateId) -> None:
                try:
                    await client.submit("Account", account, OPEN)
                    while True:
                        accepted[account] = int((await client.submit("Account", account, DEPOSIT)).version)
                        begun.set()
                except AggregateError as error:
                    refused.append(error)

            async with AggregateClient(grpc) as client:
                loads = [asyncio.create_task(load(client, account)) for account in accepted]
                await begun.wait()
                code, _, err = await node.stop(signal.SIGTERM)
                await asyncio.gather(*loads)
        assert (code, err) == (0, "")
        assert len(refused) == 8
        assert all(isinstance(error, Unavailable) or error.status == "UNAVAILABLE" for error in refused), refused
        async with running("serve", "--json", cwd=tmp_path, **env) as node:
            await until_ready(node.ready["serving"]["admin"], 200)
            async with AggregateClient(node.ready["serving"]["grpc"]) as client:
                for account, version in accepted.items():
                    # What was acknowledged is there; a command whose answer was lost may stand behind it.
                    assert version <= (await client.get("Account", account)).version <= version + 1


async def test_a_node_whose_commands_do_not_end_says_so_in_its_exit_code(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path / "nats") as nats:
        env = {"AGGREGATE_NATS_URL": nats.url, "AGGREGATE_DRAIN_TIMEOUT": "200ms", "AGGREGATE_COMMAND_TIMEOUT": "30s", **LOOPBACK}
        async with running("serve", "--json", cwd=tmp_path, **env) as node:
            await until_ready(node.ready["serving"]["admin"], 200)
            async with AggregateClient(node.ready["serving"]["grpc"]) as client:
                account = AggregateId.new_v7()
                await client.submit("Account", account, OPEN)
                nats.pause()
                submitting = asyncio.create_task(client.submit("Account", account, DEPOSIT))
                await asyncio.sleep(0.3)
                code, out, _ = await node.stop(signal.SIGTERM)
                nats.resume()
                await asyncio.gather(submitting, return_exceptions=True)
        lines = [json.loads(line) for line in out.splitlines()]
        assert code == 6
        assert [line for line in lines if line["event"].startswith(("stopping by force", "ended by force"))]
