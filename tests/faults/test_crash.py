"""kill -9 of a node in the middle of its work: it is back soon, and every retry finds out what became of its command."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time

from aggregate.client import AggregateClient
from aggregate.errors import AggregateError
from aggregate.types import new_uuid7
from tests.cli.processes import environment
from tests.faults.checker import check
from tests.faults.clients import answer_of
from tests.faults.history import History, Key, Told
from tests.faults.log import read_log
from tests.faults.system import System

COMMANDS = int(os.environ.get("FAULTS_COMMANDS", "800"))
"""10,000 is what a release is tried with."""

WORKERS = 16
READY = 2.0
"""Seconds, on a machine that has nothing else to do; one that is shared gets as much more as a process there waits for a processor."""


async def test_a_node_killed_in_the_middle_is_back_soon_and_every_retry_resolves() -> None:
    history = History()
    async with System(1, nodes=1) as system:
        client = AggregateClient(system.doors[0].address, tenant_id="ann")
        keys = [Key("ann", "Account", new_uuid7()) for _ in range(WORKERS // 2)]  # two workers on each
        half = asyncio.Event()

        async def work(number: int) -> None:
            for turn in range(COMMANDS // WORKERS):
                payload = {"type": "deposit", "amount": turn} if turn else {"type": "open_account", "owner": None, "initial_balance": 0}
                told = Told(keys[number % len(keys)], new_uuid7(), payload)
                history.told.append(told)
                while not told.resolved:
                    await attempt(told)
                if len(history.told) >= COMMANDS // 2:
                    half.set()

        async def attempt(told: Told) -> None:
            sent = time.monotonic()
            try:
                outcome = await client.submit(told.key.type, told.key.id, told.payload, command_id=told.command_id, timeout=5.0)
            except AggregateError as error:
                told.answers.append(answer_of(error, told, told.payload, sent, time.monotonic()))
                await asyncio.sleep(0.02)
            else:
                told.answers.append(answer_of(outcome, told, told.payload, sent, time.monotonic()))

        workers = asyncio.gather(*(work(number) for number in range(WORKERS)))
        await half.wait()
        await system.nodes[0].kill()
        measuring = asyncio.create_task(_slowness())
        started = time.monotonic()
        await system.start_node(0)
        await system.nodes[0].wait_ready()
        ready = time.monotonic() - started
        slowness = await measuring
        await workers
        await client.close()
        assert await system.nodes[0].stop() == 0
        messages = await read_log(system.servers[0].url)
    assert check(messages, history) == []
    assert len(history.told) == COMMANDS
    assert sum(len(told.answers) > 1 for told in history.told) > 0, "nobody noticed the crash"
    assert all(told.resolved for told in history.told)
    assert ready < READY * slowness, f"ready after {ready:.2f} s, {slowness:.1f} times as slow as alone"


async def _slowness() -> float:
    """How many times longer than its processor time a start takes here and now."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import aggregate.cli.serve", env=environment())
    assert await process.wait() == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return max(1.0, (time.monotonic() - started) / used)
