"""`python -m bench.load`: latencies of a node under a given load, to the 99.9th percentile.

An open loop: each command is due at a time that does not depend on how the node is doing, and its latency counts from when it was due, not
from when it could be sent. So a node that stops for a second shows a thousand late commands and not one. The rate is a share of what the
same callers get through when they do not wait (measured first, which also warms the node up). Every receipt is checked, and at the end
the version of every account.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import uvloop

from aggregate.client import AggregateClient
from aggregate.types import AggregateId, Command, Document, Receipt
from bench import processes
from bench.handling import KIND, TENANT, deposit
from bench.histogram import Histogram
from bench.machine import conditions, machine
from bench.network import open_accounts

CHANNELS = 8
"""Connections that the callers share."""
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
DEPOSIT = Document.of({"type": "deposit", "amount": 5})
COLD = {"AGGREGATE_CACHE_BYTES": "0"}
"""No aggregate stays in memory: every command reads a snapshot and what came after it."""

Shape = Literal["unary", "stream"]


@dataclass(frozen=True, slots=True)
class Row:
    """What came out for one shape of load."""

    shape: Shape
    cold: bool
    clients: int
    capacity: float
    rate: float
    latencies: Histogram


class Callers:
    """So many callers, each with an account of its own, on a few connections."""

    def __init__(self, clients: Sequence[AggregateClient], accounts: Sequence[AggregateId], shape: Shape) -> None:
        self._clients = clients
        self._accounts = accounts
        self._shape = shape
        self.accepted: Counter[AggregateId] = Counter()

    async def closed(self, seconds: float) -> float:
        """Commands a second when each caller sends its next command as soon as the last one is answered."""
        end = time.perf_counter() + seconds
        done = await self._all(lambda number: _until(end), None)
        return done / seconds

    async def open(self, seconds: float, rate: float, seed: int) -> Histogram:
        """Latencies when all callers together send `rate` commands a second, at times drawn beforehand."""
        latencies = Histogram()
        start = time.perf_counter() + 0.05
        await self._all(lambda number: _due(start, seconds, rate / len(self._accounts), random.Random(seed + number)), latencies)
        return latencies

    async def check(self) -> None:
        """Every account stands where its receipts say."""
        for account, accepted in self.accepted.items():
            state = await self._clients[0].get(KIND, account)
            assert state.version == 1 + accepted, f"{account}: {state.version} after {accepted} deposits"

    async def _all(self, times: Any, latencies: Histogram | None) -> int:
        call = self._unary if self._shape == "unary" else self._stream
        return sum(await asyncio.gather(*(call(number, times(number), latencies) for number in range(len(self._accounts)))))

    async def _unary(self, number: int, times: Iterator[float], latencies: Histogram | None) -> int:
        client, account = self._clients[number % len(self._clients)], self._accounts[number]
        done = 0
        for due in times:
            await _sleep_until(due)
            receipt = await client.submit(KIND, account, DEPOSIT, timeout=60)
            done += self._answered(account, receipt, due, latencies)
        return done

    async def _stream(self, number: int, times: Iterator[float], latencies: Histogram | None) -> int:
        client, account = self._clients[number % len(self._clients)], self._accounts[number]
        due_at: list[float] = []
        answered = asyncio.Semaphore(1 if latencies is None else 512)

        async def commands() -> AsyncIterator[Command]:
            for due in times:
                await _sleep_until(due)
                await answered.acquire()
                due_at.append(due)
                yield deposit(account)

        done = 0
        async for index, outcome in client.submit_many(commands()):
            assert isinstance(outcome, Receipt), outcome
            done += self._answered(account, outcome, due_at[index], latencies)
            answered.release()
        return done

    def _answered(self, account: AggregateId, receipt: Receipt, due: float, latencies: Histogram | None) -> int:
        if latencies is not None:
            latencies.add(round((time.perf_counter() - due) * 1e6))
        self.accepted[account] += 1
        assert receipt.aggregate_id == account
        assert [event.event_type for event in receipt.events] == ["deposited"]
        assert not receipt.duplicate
        return 1


def _until(end: float) -> Iterator[float]:
    while (now := time.perf_counter()) < end:
        yield now


def _due(start: float, seconds: float, rate: float, rng: random.Random) -> Iterator[float]:
    """Times of independent arrivals (exponential gaps)."""
    at = start + rng.expovariate(rate)
    while at < start + seconds:
        yield at
        at += rng.expovariate(rate)


async def _sleep_until(due: float) -> None:
    if (left := due - time.perf_counter()) > 0:
        await asyncio.sleep(left)


async def measure(address: str, shape: Shape, clients: int, *, cold: bool, seconds: float, share: float) -> Row:
    """One row. Raises AssertionError for a wrong answer."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(AggregateClient(address, tenant_id=TENANT)) for _ in range(min(CHANNELS, clients))]
        callers = Callers(connections, await open_accounts(connections[0], clients), shape)
        await callers.closed(seconds / 2)
        capacity = await callers.closed(seconds / 2)
        rate = max(1.0, capacity * share)
        latencies = await callers.open(seconds, rate, seed=clients)
        await callers.check()
    return Row(shape, cold, clients, capacity, rate, latencies)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def durability(admin: str) -> str:
    """Where an acknowledged command stands, in the node's own words: on which replicas, and when they write through to the disk."""
    with urllib.request.urlopen(f"http://{admin}/health", timeout=10) as answer:
        told = str(json.loads(answer.read())["durability"])
    return told.removeprefix("an acknowledged command stands ")


def header() -> list[str]:
    """The table's first lines."""
    names = [
        "load",
        "aggregates",
        "clients",
        "processes",
        "capacity /s",
        "rate /s",
        *(f"p{percent:g} ms" for percent in PERCENTILES),
        "max ms",
    ]
    return [f"| {' | '.join(names)} | an acknowledged command stands |", f"|{'---|' * (len(names) + 1)}"]


def line(row: Row, meaning: str) -> str:
    """A row of the table."""
    latencies = [row.latencies.percentile(percent) for percent in PERCENTILES] + [row.latencies.greatest]
    cells = [row.shape, "cold" if row.cold else "warm", row.clients, 1, f"{row.capacity:.0f}", f"{row.rate:.0f}"]
    return f"| {' | '.join(map(str, [*cells, *(f'{each / 1000:.1f}' for each in latencies), meaning]))} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Latencies of a node under an open loop of commands.")
    parser.add_argument("--clients", default="1,16,64,256", help="numbers of callers, separated by commas")
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring, and as many of warming up, for each row")
    parser.add_argument("--share", type=float, default=0.7, help="of the capacity: the rate of the open loop")
    parser.add_argument("--smoke", action="store_true", help="one short row of each kind: only see that all answers are right")
    options = parser.parse_args()
    clients = [4] if options.smoke else [int(each) for each in options.clients.split(",")]
    seconds = 0.3 if options.smoke else options.seconds
    told = machine() | conditions(smoke=options.smoke)
    print("; ".join(f"{name} {value}" for name, value in told.items()), "", *header(), sep="\n")
    for cold in (False, True):
        with _environment(COLD if cold else {}), processes.node() as node:
            meaning = durability(node["admin"])
            for shape in ("unary", "stream"):
                for number in clients:
                    row = uvloop.run(measure(node["grpc"], shape, number, cold=cold, seconds=seconds, share=options.share))
                    print(line(row, meaning), flush=True)


if __name__ == "__main__":
    main()
