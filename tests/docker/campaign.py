"""`python -m tests.docker.campaign [--migrations N] [--only DEED...]`: twenty tenants work through the gateway of a real stack while it is
rolled, killed, cut and one of them moved; then the checker of the fault tests judges what they were told by what stands in the log.

Ends with status 1 when a promise was broken. Prints what was done, how long each tenant was without an answer at the longest, and when.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

from tests.faults.campaign import SETTLING, _defects, _read_everything
from tests.faults.checker import Violation, check
from tests.faults.clients import Client, Pool, summary
from tests.faults.history import History, Kind, Told
from tests.faults.log import read_log

from .engine import docker
from .platform import NODES, Platform
from .waiting import until

NAMES = ("acme", "bolt", "cargo", "delta", "echo", "fargo", "gamma", "harbor", "index", "jade")
TENANTS = (*NAMES, *(f"{first}{name}" for first, name in zip("nopqrstuvw", NAMES, strict=True)))
MOVED = "acme"
DEEDS = ("rolls", "kills", "cuts", "moves")
TARGET = 1.0
"""Seconds that a move should refuse commands at most."""
CUT = 8.0
"""Seconds that a container is off its networks."""


@dataclass(slots=True)
class Timeline:
    """What was done, and when; the seconds that each move refused the tenant's commands."""

    deeds: list[tuple[str, float, float]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    @asynccontextmanager
    async def during(self, what: str) -> AsyncIterator[None]:
        """Note it; prints when it ends."""
        begun = time.monotonic()
        try:
            yield
        finally:
            ended = time.monotonic()
            self.deeds.append((what, begun, ended))
            print(f"  {what}: {ended - begun:.1f} s", flush=True)

    def at(self, moment: float) -> str:
        """What was being done then, or what was done last."""
        return next((what for what, begun, _ in reversed(self.deeds) if begun <= moment), "before anything")


@dataclass(frozen=True, slots=True)
class Silence:
    """The longest time between two answers of a tenant in which a call failed."""

    seconds: float
    since: float


def longest_silence(told: Sequence[Told], begin: float = 0.0, end: float = float("inf")) -> Silence:
    """Of the calls that ended between `begin` and `end`; what the caller had too little patience for is a failed call too."""
    answers = sorted((answer for each in told for answer in each.answers), key=lambda answer: answer.heard)
    longest, last, failed = Silence(0.0, 0.0), None, False
    for answer in answers:
        if not begin <= answer.heard <= end:
            continue
        if answer.kind in {Kind.NOT_STORED, Kind.UNRESOLVED}:
            failed = True
            continue
        if last is not None and failed and answer.heard - last > longest.seconds:
            longest = Silence(answer.heard - last, last)
        last, failed = answer.heard, False
    return longest


async def harm(platform: Platform, timeline: Timeline, migrations: int, only: Sequence[str]) -> None:
    """Everything that is to be survived, one after the other."""
    await asyncio.sleep(5)
    for node in NODES if "rolls" in only else ():
        async with timeline.during(f"rolling update of {node}"):
            await asyncio.to_thread(platform.roll, node)
            state = await until(lambda node=node: platform.updated(node))  # type: ignore[misc]
            assert state == "completed", f"the update of {node} ended as {state}"
    for service in ("aggregate-n-z", "nats-2") if "kills" in only else ():
        async with timeline.during(f"{service} killed"):
            await asyncio.to_thread(platform.kill, service)
            await until(lambda: not platform.converged())
            await until(platform.converged)
        await asyncio.sleep(5)
    for service in ("aggregate-a-m", "nats-3") if "cuts" in only else ():
        async with timeline.during(f"{service} off its networks for {CUT:g} s, and joined again"):
            await asyncio.to_thread(platform.cut, service, True)
            await asyncio.sleep(CUT)
            await asyncio.to_thread(platform.cut, service, False)
        await asyncio.sleep(5)
        await until(platform.converged)
    for number in range(migrations) if "moves" in only else ():
        target = NODES[(number + 1) % 2]
        async with timeline.during(f"{MOVED} moved to {target}"):
            told = await asyncio.to_thread(platform.migrate, MOVED, target)
            timeline.refused += [float(each) for each in re.findall(r"refused for ([0-9.]+) s", told)]
            print(f"  {told}", flush=True)
        await asyncio.sleep(1)


async def campaign(migrations: int, seed: int, only: Sequence[str] = DEEDS) -> list[Violation]:
    """Run it once."""
    history, timeline = History(), Timeline()
    async with Platform() as platform:
        await until(platform.has_routes)
        pools = [Pool(tenant, [platform.address], cold=3) for tenant in TENANTS]
        workers = [Client(pool, [other for other in pools if other is not pool], history, seed * 1000 + n) for n, pool in enumerate(pools)]
        try:
            stop = asyncio.Event()
            working = [asyncio.create_task(worker.run(stop)) for worker in workers]
            harming = asyncio.create_task(harm(platform, timeline, migrations, only))
            await asyncio.wait([*working, harming], return_when=asyncio.FIRST_COMPLETED)  # a worker ends first only when it fails
            stop.set()
            await asyncio.gather(*working, harming)
            healed = time.monotonic()
            await asyncio.gather(*(worker.settle(healed + SETTLING) for worker in workers))
            unread = await _read_everything(workers, pools, healed + SETTLING)
        finally:
            for task in (*working, harming):
                task.cancel()
            await asyncio.gather(*working, harming, return_exceptions=True)
            for pool in pools:
                await pool.close()
        messages = await read_log(platform.nats_from_here())
        defects = [(name, line) for name in NODES for line in _defects(platform.logs(name))]
    _report(history, timeline, len(messages))
    return [
        *check(messages, history),
        *(Violation("settles", f"nobody says what became of {told.command_id}") for worker in workers for told in worker.unsettled),
        *(Violation("settles", each) for each in unread),
        *(Violation("no defects", f"{name}: {line}") for name, line in defects),
    ]


def _report(history: History, timeline: Timeline, messages: int) -> None:
    answers = ", ".join(f"{kind} {count}" for kind, count in sorted(summary(history).items()))
    print(f"{len(history.told)} commands of {len(TENANTS)} tenants, answers: {answers}; {len(history.reads)} reads; {messages} messages")
    print("longest time without an answer:")
    for tenant in TENANTS:
        silence = longest_silence([told for told in history.told if told.key.tenant == tenant and not told.foreign])
        print(f"  {tenant:<10} {silence.seconds:6.2f} s  {timeline.at(silence.since)}")
    moved = [told for told in history.told if told.key.tenant == MOVED and not told.foreign]
    moves = [longest_silence(moved, begun - 1, ended + 1).seconds for what, begun, ended in timeline.deeds if " moved to " in what]
    if moves:
        refused = (
            f"refused for {max(timeline.refused):.2f} s at the longest (target: {TARGET:g} s), median {median(timeline.refused):.2f} s"
        )
        print(f"{len(moves)} moves of {MOVED}: {refused}; longest time without an answer {max(moves):.2f} s, median {median(moves):.2f} s")
    longest = [longest_silence([told for told in history.told if told.key.tenant == each and not told.foreign]).seconds for each in TENANTS]
    print(f"of {len(TENANTS)} tenants the longest time without an answer: {max(longest):.1f} s, median {median(longest):.1f} s")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.docker.campaign", description=__doc__)
    parser.add_argument("--migrations", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", nargs="+", choices=DEEDS, default=DEEDS)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**30)
    print(f"seed {seed}, engine {json.loads(docker('version', '--format', '{{json .Server.Version}}'))}", flush=True)
    violations = asyncio.run(campaign(options.migrations, seed, options.only))
    for violation in violations[:20]:
        print(f"BROKEN {violation}")
    print("every promise was kept" if not violations else f"{len(violations)} broken promises")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
