"""A tenant moves between two nodes on a log of three servers, under load, while the server that leads the log is killed in the midst of a
move: the checker of the fault tests holds every answer against the log.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from aggregate.errors import Unavailable
from aggregate.placement.migration import Migration, MigrationFailed, MigrationReport
from aggregate.placement.store import BUCKET, PlacementStore
from aggregate.stream import StreamClient
from aggregate.types import TenantId
from tests.faults.campaign import SETTLING, _defects, _read_everything
from tests.faults.checker import check
from tests.faults.clients import Client, Pool, summary
from tests.faults.history import History
from tests.faults.log import read_log
from tests.faults.system import System

ACME = TenantId("acme")
MOVES = 4
KILLED_IN = 2
"""The move in which the leader dies, when the source has given its word and the swap is still to come."""


async def moved(log: StreamClient, store: PlacementStore, target: str, tell: Callable[[str], None]) -> MigrationReport:
    """A migration, again while a node or the log does not answer, or took too long to."""
    async with asyncio.timeout(90):
        while True:
            try:
                return await Migration(log, store, ACME, target, tell).run()
            except (Unavailable, MigrationFailed):
                await asyncio.sleep(0.2)


@pytest.mark.timeout(300)
async def test_a_tenant_moves_on_three_servers_whose_leader_is_killed(record_property: Any) -> None:
    history = History()
    async with System(3) as system:
        log = await StreamClient.connect([server.url for server in system.servers], replicas=3)
        store = PlacementStore(log.bucket(BUCKET))
        entries = {node.name: {"grpc": f"{node.grpc[0]}:{node.grpc[1]}"} for node in system.nodes}
        names = list(entries)
        await store.update(lambda now: now.changed(nodes=entries, tenants={"acme": names[0], "bolt": names[1]}))
        pools = [Pool(tenant, [door.address for door in system.doors], cold=4) for tenant in ("acme", "bolt")]
        workers = [Client(pools[n % 2], [pools[1 - n % 2]], history, n) for n in range(6)]
        stop = asyncio.Event()
        working = [asyncio.create_task(worker.run(stop)) for worker in workers]
        reports: list[MigrationReport] = []
        killed: list[int] = []
        try:
            for number in range(MOVES):
                before = _accepted(history)
                leader = await system.leader()
                assert leader is not None

                def tell(step: str, number: int = number, pid: int = leader.pid or 0) -> None:
                    if number == KILLED_IN and step.endswith("is drained of it") and not killed:
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)

                reports.append(await moved(log, store, names[(number + 1) % 2], tell))
                if number == KILLED_IN:
                    await leader.stop(how=signal.SIGKILL)
                    await leader.start()
                async with asyncio.timeout(60):
                    while _accepted(history) < before + 10:
                        for task in working:
                            assert not task.done(), task.result()
                        await asyncio.sleep(0.02)
            stop.set()
            await asyncio.gather(*working)
            healed = time.monotonic()
            await asyncio.gather(*(worker.settle(healed + SETTLING) for worker in workers))
            assert await _read_everything(workers, pools, healed + SETTLING) == []
            stored = await store.load()
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            for pool in pools:
                await pool.close()
            await log.close()
        messages = await read_log(system.servers[0].url)
        violations = [*check(messages, history), *(line for node in system.nodes for line in _defects(node.log.read_text()))]
    assert len(killed) == 1
    assert violations == [], summary(history)
    assert [told.command_id for worker in workers for told in worker.unsettled] == []
    assert stored is not None
    assert (stored.config.get_node(ACME), stored.config.draining) == (names[0], {})
    assert [report.moved for number, report in enumerate(reports) if number != KILLED_IN] == [True] * (MOVES - 1)
    record_property("seconds refused", ", ".join(f"{report.refused_seconds:.2f}" for report in reports))


def _accepted(history: History) -> int:
    return sum(bool(told.answers) and told.answers[-1].kind == "accepted" and told.key.tenant == ACME for told in history.told)
