"""What a tenant at ten times its quota costs another one: the other's p99 beside its own while it is alone, by turns in one run.

python -m bench.fairness ADDRESS COMMANDS_A_SECOND SECONDS     (the noisy tenant, in a process of its own)
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import uvloop

from aggregate.client import AggregateClient
from aggregate.errors import Overloaded
from aggregate.types import AggregateId
from bench import processes
from bench.loop import event_loop
from bench.network import DEPOSIT, open_accounts

QUOTA = 40
TIMES = 10
QUIET_RATE = 20
"""Commands a second of the tenant that is measured (half its quota), each at its time, whatever became of the one before."""
ACCOUNTS = 16
TURNS, SECONDS = 8, 3


async def noise(address: str, rate: int, seconds: float) -> tuple[int, int]:
    """Send commands at a rate, whatever comes back; how many were taken, and how many refused."""
    taken = refused = 0
    async with AggregateClient(address, tenant_id="noisy", timeout=10.0) as client:
        accounts = await open_accounts(client, ACCOUNTS)
        print("begun", flush=True)

        async def one(number: int) -> None:
            nonlocal taken, refused
            try:
                await client.submit("Account", accounts[number % ACCOUNTS], DEPOSIT)
            except Overloaded:
                refused += 1
            else:
                taken += 1

        await _paced(one, rate, seconds)
    return taken, refused


async def latencies(client: AggregateClient, accounts: list[AggregateId], seconds: float) -> list[float]:
    """Seconds that each command of the quiet tenant took."""
    took: list[float] = []

    async def one(number: int) -> None:
        started = time.perf_counter()
        await client.submit("Account", accounts[number % len(accounts)], DEPOSIT)
        took.append(time.perf_counter() - started)

    await _paced(one, QUIET_RATE, seconds)
    return took


async def _paced(one: Callable[[int], Coroutine[None, None, None]], rate: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    started, number, tasks = loop.time(), 0, set[asyncio.Task[None]]()
    while (due := started + number / rate) < started + seconds:
        await asyncio.sleep(due - loop.time())
        task = loop.create_task(one(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        number += 1
    await asyncio.gather(*tasks)


def _share(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


async def _turns(address: str, turns: int, seconds: float) -> tuple[list[float], list[float]]:
    quiet: list[float] = []
    beside: list[float] = []
    async with AggregateClient(address, tenant_id="quiet", timeout=10.0) as client:
        accounts = await open_accounts(client, ACCOUNTS)
        await latencies(client, accounts, seconds)
        for _ in range(turns):
            quiet += await latencies(client, accounts, seconds)
            command = [sys.executable, "-m", "bench.fairness", address, str(QUOTA * TIMES), str(seconds + 1)]
            noisy = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parent.parent)
            assert noisy.stdout is not None
            assert await noisy.stdout.readline() == b"begun\n"
            beside += await latencies(client, accounts, seconds)
            taken, refused = map(int, (await noisy.stdout.read()).split())
            assert await noisy.wait() == 0
            assert refused > 2 * taken, f"the noisy tenant was refused {refused} and got {taken} commands: no ten times its quota"
    return quiet, beside


def measure() -> None:
    """Print the ratio, and what it is of."""
    print(f"load before: {os.getloadavg()[0] / (os.cpu_count() or 1):.1f} a core")
    with processes.node(settings={"quota_commands": QUOTA}) as node, event_loop() as runner:
        quiet, beside = runner.run(_turns(node["grpc"], TURNS, SECONDS))
    for name, values in (("alone", quiet), (f"beside {TIMES} times a quota of {QUOTA}/s", beside)):
        shares = ", ".join(f"p{round(share * 100)} {_share(values, share) * 1000:.2f} ms" for share in (0.5, 0.9, 0.99))
        print(f"{name}: {len(values)} commands, {shares}")
    print(f"p99 ratio: {_share(beside, 0.99) / _share(quiet, 0.99):.2f} (target: at most 2)")


async def _noise(address: str, rate: int, seconds: float) -> None:
    print(*await noise(address, rate, seconds))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        uvloop.run(_noise(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    else:
        measure()
