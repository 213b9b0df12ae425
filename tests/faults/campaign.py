"""A campaign: clients work while faults happen; then all is healed, the clients ask until they know, and the checker judges."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .checker import Violation, batches, check
from .clients import Client, Pool, summary
from .follower import Follower
from .history import History
from .injector import Injector
from .log import read_log
from .system import System

TENANTS = ("ann", "bob", "cy")
EXPIRING = {"refusal_ttl": 4, "attempt_max": 1}
SETTLING = 60.0
"""Seconds after the last fault within which every client must know what became of its commands."""
SET_ASIDE = "is rebuilt from the log"
"""What a node says of a damaged store, at the level of errors."""
SHOWN = 1500
"""Characters of a broken promise that are shown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign found.

    Attributes:
        faults, answers: how many of each kind.
        commands: sent by clients, each with an id of its own.
        commits: in the log at the end.
        batches: of commits of several aggregates, in the log.
        followed: events that subscriptions gave; `resumed`: how often they had to go on after a call had ended.
        slowest: seconds that the clients needed after the last fault.
    """

    violations: tuple[Violation, ...]
    faults: Counter[str]
    answers: Counter[str]
    commands: int
    reads: int
    messages: int
    commits: int
    batches: int
    followed: int
    resumed: int
    slowest: float

    def __str__(self) -> str:
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        answers = ", ".join(f"{kind} {count}" for kind, count in sorted(self.answers.items()))
        lines = [
            f"{sum(self.faults.values())} faults: {faults}",
            f"{self.commands} commands, {sum(self.answers.values())} answers: {answers}; {self.reads} reads",
            f"{self.messages} messages in the log, {self.commits} commits, {self.batches} batches; {self.followed} events followed"
            f", gone on with {self.resumed} times",
            f"settled after {self.slowest:.1f} s",
            *self._broken(),
        ]
        return "\n".join(lines)

    def _broken(self) -> Iterator[str]:
        """Of each promise how often it was broken, and a few cases."""
        by_promise: dict[str, list[Violation]] = {}
        for violation in self.violations:
            by_promise.setdefault(violation.promise, []).append(violation)
        for promise, cases in by_promise.items():
            yield f"BROKEN {len(cases)} x {promise}"
            yield from (f"  {case.what[:SHOWN]}" for case in cases[:3])


async def run_campaign(
    replicas: int, seconds: float, *, clients: int = 12, cold: int = 40, seed: int = 0, expiring: bool = False
) -> Outcome:
    """Run one.

    Args:
        replicas: 1 (one server) or 3 (a cluster).
        seconds: how long faults happen.
        clients: how many work, in turn of each tenant.
        cold: accounts of each tenant beside the hot ones.
        seed: of what happens; not of when.
        expiring: refusals live, and attempts are made, for seconds only.
    """
    history = History(lasting_refusals=not expiring)
    async with System(replicas, settings=EXPIRING if expiring else None) as system:
        pools = [Pool(tenant, [door.address for door in system.doors], cold) for tenant in TENANTS]
        followers = [Follower(pool.nodes, pool.tenant, history, seed) for pool in pools]
        following = [asyncio.create_task(follower.run()) for follower in followers]
        injector = Injector(system, seed)
        try:
            workers = _workers(pools, history, clients, seed)
            stop, calm = asyncio.Event(), asyncio.Event()
            working = [asyncio.create_task(worker.run(stop)) for worker in workers]
            harming = asyncio.create_task(injector.run(calm))
            await _first_failure([*working, harming], seconds)
            calm.set()
            await harming
            stop.set()
            await asyncio.gather(*working)
            healed = time.monotonic()
            await asyncio.gather(*(worker.settle(healed + SETTLING) for worker in workers))
            slowest = time.monotonic() - healed
            unread = await _read_everything(workers, pools, healed + SETTLING)
            unread += await _followed_everything(followers, history, healed + SETTLING)
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            for pool in pools:
                await pool.close()
        codes = [await node.stop() for node in system.nodes]
        messages = await read_log(system.servers[0].url)
        violations = [
            *check(messages, history),
            *(Violation("settles", f"nobody says what became of {each}") for each in _unsettled(workers)),
            *(Violation("settles", each) for each in unread),
            *(Violation("expected answers", each) for follower in followers for each in follower.strange),
            *(
                Violation("stops", f"{node.name} ended with {code}: {node.tail()[-SHOWN:]}")
                for node, code in zip(system.nodes, codes, strict=True)
                if code
            ),
            *(Violation("no defects", f"{node.name}: {line}") for node in system.nodes for line in _defects(node.log.read_text())),
        ]
    commits = sum(len(message.commits) for message in messages)
    several = sum(len({message.key.id for message in batch if message.key}) > 1 for batch in batches(messages).values())
    return Outcome(
        violations=tuple(violations),
        faults=injector.seen,
        answers=summary(history),
        commands=len(history.told),
        reads=len(history.reads),
        messages=len(messages),
        commits=commits,
        batches=several,
        followed=sum(map(len, history.followed.values())),
        resumed=sum(follower.resumed for follower in followers),
        slowest=slowest,
    )


def _workers(pools: list[Pool], history: History, count: int, seed: int) -> list[Client]:
    whose = itertools.islice(itertools.cycle(range(len(pools))), count)
    return [
        Client(pools[mine], [pool for pool in pools if pool is not pools[mine]], history, seed * 1000 + number)
        for number, mine in enumerate(whose)
    ]


async def _first_failure(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Wait, but no longer than until one of the tasks fails."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def _read_everything(workers: list[Client], pools: list[Pool], deadline: float) -> list[str]:
    """Every aggregate, from every node, as it is at the end; those that no node gives."""
    unread = []
    for worker, pool in zip(workers, pools, strict=False):
        for key in pool.keys:
            for node in range(len(pool.nodes)):
                while not await worker.read(key, node, timeout=4.0):
                    if time.monotonic() > deadline:
                        unread.append(f"{key} cannot be read from node {node}")
                        break
                    await asyncio.sleep(0.1)
    return unread


async def _followed_everything(followers: list[Follower], history: History, deadline: float) -> list[str]:
    """Whatever was acknowledged, every follower of its tenant gets to see."""
    acknowledged = {event.event_id: told.key.tenant for told in history.told for answer in told.answers for event in answer.events}
    behind = []
    for follower in followers:
        wanted = {event_id for event_id, tenant in acknowledged.items() if tenant == follower.tenant}
        try:
            await asyncio.wait_for(follower.caught_up(wanted), max(1.0, deadline - time.monotonic()))
        except TimeoutError:
            behind.append(f"a follower of {follower.tenant} never saw all of what was acknowledged")
    return behind


def _unsettled(workers: list[Client]) -> list[str]:
    return [f"{told.command_id} of {told.key}: {told.answers[-1:]}" for worker in workers for told in worker.unsettled]


def _defects(log: str) -> Iterator[str]:
    """What in a node's log tells of a defect of its own: errors, and tracebacks to their end."""
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if '"level":"error"' in line and SET_ASIDE not in line:
            yield line[-SHOWN:]
        elif line.startswith("Traceback"):
            yield "\n".join(itertools.takewhile(lambda after: not after.startswith("{"), lines[number:]))[-SHOWN:]
