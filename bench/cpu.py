"""`python -m bench.cpu`: processor time a command takes in each process on its way, of a node and of the echo server (Linux).

What a client waits for is a queue of these on few cores; this says who needs the core, without a profiler's own cost.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aggregate.client import AggregateClient
from aggregate.types import AggregateId
from bench import network, processes
from bench.handling import CLIENTS, TENANT
from bench.loop import event_loop

COMMANDS = 6_000
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    with processes.node() as node, processes.echo() as echo:
        for clients in (1, CLIENTS):
            print(f"\n{clients} client{'s' * (clients > 1)}, microseconds of processor time for a command:")
            for name, told in (("node", node), ("echo", echo)):
                taken, wall = _drive(told, clients, opens=name == "node")
                cells = "  ".join(f"{part} {seconds * 1e6:.0f}" for part, seconds in taken.items())
                print(f"  {name}: {cells}  together {sum(taken.values()) * 1e6:.0f}, {1 / wall:.0f} commands/s")


def _drive(told: Mapping[str, Any], clients: int, *, opens: bool) -> tuple[dict[str, float], float]:
    """Seconds of processor a command by process, and of the clock."""

    async def drive() -> tuple[dict[str, float], float]:
        count = COMMANDS if clients > 1 else COMMANDS // 6
        async with AggregateClient(told["grpc"], tenant_id=TENANT) as client:
            accounts = await network.open_accounts(client, clients) if opens else [AggregateId.new_v7() for _ in range(clients)]
            await network.submit_deposits(client, accounts, count // 10, clients)
            processes = {"client": os.getpid(), "server": told["pid"], **({"nats-server": _nats(told["pid"])} if opens else {})}
            before, start = {name: _seconds(pid) for name, pid in processes.items()}, time.perf_counter()
            await network.submit_deposits(client, accounts, count, clients)
            wall = time.perf_counter() - start
            return {name: (_seconds(pid) - before[name]) / count for name, pid in processes.items()}, wall / count

    with event_loop() as runner:
        return runner.run(drive())


def _nats(pid: int) -> int:
    """The node's nats-server."""
    return next(child for child in _children(pid) if Path(f"/proc/{child}/comm").read_text().startswith("nats-server"))


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    main()
