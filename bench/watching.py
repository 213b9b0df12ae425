"""1,000 live queries of one tenant over gRPC: how long a change takes to reach them all, and what they cost the commands beside them.

The watchers are in a process of their own (`python -m bench.watching ADDRESS COUNT`) and say when each change reached each of them; clocks
are the machine's monotonic one, which all its processes share. Commands are sent at a fixed pace, whatever the answers take; one in
`EVERY` changes what is watched. Rounds with and without watchers take turns.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc

from aggregate.client import AggregateClient
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.types import AggregateId
from bench import processes
from bench.handling import KIND, TENANT
from bench.loop import event_loop
from bench.network import open_accounts
from bench.registry import Bench, Case, Scale, Weighed

RICH = 1_000_000_000
FILTER = f"balance >= {RICH}"
PER_CHANNEL = 100
PACE = 50
"""Commands a second."""
EVERY = 50
OTHERS = 32


@dataclass
class Taken:
    """What a round of commands showed: seconds of each, and when the ones that are watched were sent, by the version they made."""

    seconds: list[float] = field(default_factory=list)
    sent: dict[int, float] = field(default_factory=dict)


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def watch(address: str, count: int) -> None:
    """Open the live queries; then a JSON line for each change that has reached all of them."""
    channels = [
        grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(-(-count // PER_CHANNEL))
    ]
    reached: dict[int, list[float]] = {}
    ready = 0

    async def one(channel: grpc.aio.Channel) -> None:
        nonlocal ready
        stub = pb_grpc.QueryServiceStub(channel)  # type: ignore[no-untyped-call] # generated code
        async for reply in stub.Watch(pb.WatchRequest(aggregate_type=KIND, filter=FILTER), metadata=[("x-tenant-id", str(TENANT))]):
            now = time.monotonic()
            for event in reply.events:
                if event.kind == pb.WatchEvent.CAUGHT_UP and ready < count:
                    ready += 1
                    if ready == count:
                        tell({"grpc": address, "watchers": count})
                elif event.kind in {pb.WatchEvent.ADDED, pb.WatchEvent.CHANGED}:
                    times = reached.setdefault(event.row.version, [])
                    times.append(now)
                    if len(times) == count:
                        tell({"version": event.row.version, "reached": times})

    await asyncio.gather(*(one(channels[number // PER_CHANNEL]) for number in range(count)))


def tell(what: Mapping[str, Any]) -> None:
    """A line on standard output."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def commands(client: AggregateClient, watched: AggregateId, others: list[AggregateId], count: int) -> Taken:
    """Deposits at a fixed pace."""
    taken = Taken()

    async def one(number: int, start: float) -> None:
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        is_watched = number % EVERY == EVERY // 2
        began = time.monotonic()
        receipt = await client.submit(KIND, watched if is_watched else others[number % len(others)], {"type": "deposit", "amount": 1})
        taken.seconds.append(time.monotonic() - began)
        if is_watched:
            taken.sent[int(receipt.version)] = began

    start = time.monotonic()
    await asyncio.gather(*(one(number, start + number / PACE) for number in range(count)))
    assert len(taken.seconds) == count
    return taken


@contextmanager
def _world(scale: Scale, watchers: int, beside: int) -> Iterator[tuple[dict[int, list[float]], dict[int, list[float]]]]:
    """By number of watchers: seconds of commands, and seconds until changes reached each watcher."""
    rounds, count = scale.rounds(2), scale.size(8 * PACE, 2 * EVERY)
    latencies: dict[int, list[float]] = {watchers: [], beside: []}
    reaches: dict[int, list[float]] = {watchers: [], beside: []}
    with processes.node() as node, event_loop() as runner:
        client = runner.run(_client(node["grpc"]))
        accounts = runner.run(open_accounts(client, OTHERS + 1))
        watched, others = accounts[0], accounts[1:]
        receipt = runner.run(client.submit(KIND, watched, {"type": "deposit", "amount": RICH}))
        runner.run(client.query(min_position=receipt.position))
        runner.run(commands(client, watched, others, count))
        for number in range(rounds):
            for size in (watchers, beside) if number % 2 else (beside, watchers):
                with ExitStack() as stack:
                    read = stack.enter_context(processes.watchers(node["grpc"], size)) if size else None
                    taken = runner.run(commands(client, watched, others, count))
                    latencies[size] += taken.seconds
                    if read is not None:
                        reaches[size] += _reached(read, taken, size)
        runner.run(client.close())
    yield latencies, reaches


async def _client(address: str) -> AggregateClient:
    """Made within the loop that it belongs to."""
    return AggregateClient(address, tenant_id=TENANT, timeout=30.0)


def _reached(read: processes.Lines, taken: Taken, size: int) -> list[float]:
    """Seconds from the sending of each change to each watcher: to it or to a newer one, where a transaction held both.

    Raises RuntimeError where one never came.
    """
    newest = max(taken.sent)
    lines = read.until(lambda found: any(line.get("version", 0) >= newest for line in found))
    told = {line["version"]: line["reached"] for line in lines if "version" in line}
    assert all(len(times) == size for times in told.values())
    return [at - sent for version, sent in taken.sent.items() for at in told[min(each for each in told if each >= version)]]


@contextmanager
def _commands(scale: Scale) -> Iterator[Case]:
    with _world(scale, scale.size(1000, 50), 0) as (latencies, _):
        many, none = latencies
        yield Weighed(quantile(latencies[many], 0.99), quantile(latencies[none], 0.99))


@contextmanager
def _reach(scale: Scale, *, share: float) -> Iterator[Case]:
    with _world(scale, scale.size(1000, 50), 1) as (_, reaches):
        many, one = reaches
        yield Weighed(quantile(reaches[many], share), quantile(reaches[one], share))


BENCHES = (
    Bench(
        name="watch.command_p99",
        ours=f"p99 of SubmitCommand, {PACE} a second, while 1,000 live queries of the tenant are told of every {EVERY}th",
        beside="without live queries",
        prepare=_commands,
        tolerance=0.5,
        target=1.5,
    ),
    Bench(
        name="watch.reach_p99",
        ours="p99 from sending a command to 1,000 live queries having its change, all clients in one process",
        beside="one live query",
        prepare=partial(_reach, share=0.99),
        tolerance=0.5,
    ),
)


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1], int(sys.argv[2])))
