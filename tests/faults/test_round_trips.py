"""What a command costs on the wire, counted between a node and its server."""

from __future__ import annotations

import math

from aggregate.client import AggregateClient
from aggregate.errors import Rejected
from aggregate.types import new_uuid7
from tests.faults.system import System

COMMITS = 1100


async def test_a_warm_command_costs_one_round_trip_and_a_cold_one_few() -> None:
    quiet = {"change_notices": "false"}  # nobody waits for notices, and they come when they come
    async with System(1, nodes=1, settings=quiet, snapshot_threshold=1_000_000) as system:
        meter = system.links[0][0].meter
        assert meter is not None
        async with AggregateClient(system.doors[0].address, tenant_id="ann") as client:
            account = new_uuid7()
            meter.reset()
            await client.submit("Account", account, {"type": "open_account", "initial_balance": 5})
            assert meter.requests.total() <= 3, meter.requests  # the newest message, the owner, the append

            meter.reset()
            for _ in range(10):
                await client.submit("Account", account, {"type": "deposit", "amount": 1})
            for _ in range(10):
                try:
                    await client.submit("Account", account, {"type": "withdraw", "amount": 1000})
                except Rejected:
                    continue
                raise AssertionError("more was withdrawn than there is")
            frames = {name: count for name, count in meter.frames.items() if name not in {"PING", "PONG"}}
            assert frames == {"HPUB": 20, "MSG": 20}
            assert meter.requests == {f"tenant.ann.aggregate.Account.{account}": 20}

            for _ in range(COMMITS):
                await client.submit("Account", account, {"type": "deposit", "amount": 1})
            await system.nodes[0].kill()
            await system.start_node(0)
            await system.nodes[0].wait_ready()
        async with AggregateClient(system.doors[0].address, tenant_id="ann") as client:
            meter.reset()
            receipt = await client.submit("Account", account, {"type": "deposit", "amount": 1})
            assert receipt.version == COMMITS + 12
            assert meter.requests.total() <= 3 + math.ceil(COMMITS / 1000), meter.requests
            meter.reset()
            await client.submit("Account", account, {"type": "deposit", "amount": 1})
            assert meter.requests.total() == 1
