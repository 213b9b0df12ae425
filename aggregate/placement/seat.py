"""`Seat`: a node's place among the others, put together: it follows the placement, leads tenants out, answers other nodes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Protocol

import structlog

from aggregate.errors import Unavailable
from aggregate.placement import migration as migrating
from aggregate.placement import watch as watching
from aggregate.placement.custody import Custody, Tenants
from aggregate.placement.migration import WITNESS, Migration, MigrationReport, Warm, witnesses
from aggregate.placement.ownership import Ownership
from aggregate.placement.store import PlacementStore
from aggregate.placement.watch import PlacementWatch
from aggregate.stream.node_calls import NodeDesk
from aggregate.types import TenantId

log = structlog.get_logger("aggregate.placement")

PATIENCE = 5.0
"""Seconds that a starting node waits for the placement, before it goes by its file or without one, and until others can ask it."""


class NodeLog(watching.Log, migrating.Log, Protocol):
    """The log's client of a node."""


class Seat:
    """One node's.

    Attributes:
        store: the bucket; None before `start`.
    """

    def __init__(self, node: str, file: Path | None) -> None:
        """`node`: its name. Raises ConfigError: the file is wrong."""
        self.node = node
        self.watch = PlacementWatch(file)
        self.ownership = Ownership(node, self.watch)
        self.custody = Custody(node, self.watch)
        self.store: PlacementStore | None = None
        self._log: NodeLog | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    def attach(self, log: NodeLog) -> None:
        """Where the log is."""
        self._log, self.store = log, self.watch.attach(log)

    async def start(self, log: NodeLog) -> None:
        """Follow the placement; returns when it is known, or cannot be for some seconds."""
        self.attach(log)
        self._run(self.watch.run())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self.watch.listed()

    async def begin(self, log: NodeLog, tenants: Tenants, warm: Warm) -> None:
        """Do what the placement asks of a node that serves; returns when others can ask it too, or cannot for some seconds."""
        assert self.store is not None, "start comes first"
        self.custody.begin(tenants, self.store)
        tenants.on_read(self.ownership.read)
        desk = NodeDesk(log.link, self.node, {WITNESS: witnesses(warm)})
        self._run(desk.run())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await desk.listening.wait()

    async def migrate(self, tenant: TenantId, target: str) -> MigrationReport:
        """Move a tenant from its node, whichever that is, to another. Raises as `Migration.run`."""
        if self._log is None or self.store is None:
            raise Unavailable("the node is not ready: it does not know the placement yet", "starting")
        return await Migration(self._log, self.store, tenant, target, lambda step: log.info("migration", tenant_id=tenant, step=step)).run()

    async def stop(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self.custody.stop(), return_exceptions=True)

    def told(self) -> tuple[bool, str]:
        """Whether it is known where tenants are, and what is known, in words. Any node may serve any tenant: the rest is no obstacle."""
        if self.store is None:
            return False, "not looked for yet"
        if not self.ownership.known:
            return True, "no tenant is placed: every one is served here"
        lost = "" if self.node in self.watch.config.nodes else f"; this node, {self.node}, is not in it"
        trouble = f"; {self.watch.trouble}" if self.watch.trouble else ""
        return True, f"epoch {self.watch.config.epoch} of the {self.watch.source}{lost}{trouble}"

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks.append(asyncio.create_task(work, name="placement"))
