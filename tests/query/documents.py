"""A log of documents: aggregates whose state is whatever a command says, and a projection of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lmdb

import aggregate.engine
from aggregate.config import AggregateManifest, Settings
from aggregate.config.manifest import Projection as ProjectionConfig
from aggregate.engine import packs
from aggregate.handler import AggregateHandler
from aggregate.node import register
from aggregate.query.client import QueryClient
from aggregate.query.definitions import Definitions
from aggregate.query.projection import Projection
from aggregate.runtime import ProgramSet, RuntimeExecutor
from aggregate.stream.events import EventStream
from aggregate.testing.memory_storage import MemoryStorage
from aggregate.testing.memory_stream import MemoryStream
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, TenantId

SOURCE = """
def decide(state, command):
    if command.type == "refuse":
        reject("no")
    if command.type == "nothing":
        return []
    return [event("set", value = command.value)]

def apply(state, event):
    return event.value
"""
INDEXED = ProjectionConfig(indexes=("a", "o.x"))
TYPES = ("A", "B")


def aggregate_id(number: int) -> AggregateId:
    """The id of a small number; ids ascend with it."""
    return AggregateId(f"0190b3f0-7c1e-7cc3-a5a0-{number:012x}")


async def programs_on(
    stream: EventStream, projection: ProjectionConfig = INDEXED, types: tuple[str, ...] = TYPES, source: str = SOURCE
) -> ProgramSet:
    """The programs of documents, registered."""
    manifest = AggregateManifest.of_sources(dict.fromkeys(types, source), projection=projection)
    return await register(RuntimeExecutor().load(manifest), stream)


@dataclass
class Log:
    """A log of documents, and all that was ever written to it.

    Attributes:
        history: sequence, aggregate, version and state after each commit.
    """

    stream: EventStream
    handler: AggregateHandler
    history: list[tuple[int, AggregateKey, int, Any]] = field(default_factory=list)

    @classmethod
    async def begin(cls, stream: EventStream | None = None, **options: Any) -> Log:
        """A new log in memory, or on `stream`; `options` as those of `programs_on`."""
        stream = stream if stream is not None else MemoryStream()
        programs = await programs_on(stream, **options)
        settings = Settings(nats_url="nats://none", aggregate_id_scope="tenant")
        return cls(stream, AggregateHandler(settings, programs, MemoryStorage(), stream))

    async def write(self, tenant: str, kind: str, number: int, value: Any, command: str = "set") -> str:
        """Set the state of an aggregate; returns the position."""
        payload = {"type": command, "value": value}
        made = Command.new_test(payload, tenant, aggregate_type=AggregateType(kind), aggregate_id=aggregate_id(number))
        receipt = await self.handler.submit(made)
        key = AggregateKey(made.tenant_id, made.aggregate_type, made.aggregate_id)
        if receipt.events:
            self.history.append((self.stream.sequence(receipt.position), key, int(receipt.version), value))
            self.history.sort(key=lambda entry: entry[0])
        return receipt.position

    def states(self, tenant: str, position: str) -> dict[AggregateKey, tuple[int, Any]]:
        """Version and state of the tenant's aggregates as of a position."""
        found = {}
        for sequence, key, version, state in self.history:
            if sequence <= self.stream.sequence(position) and key.tenant_id == TenantId(tenant):
                found[key] = version, state
        return {key: (version, state) for key, (version, state) in found.items() if state is not None}


@asynccontextmanager
async def projection(folder: Path, stream: EventStream, programs: ProgramSet, **options: Any) -> AsyncIterator[Projection]:
    """A projection that follows the log."""
    running = Projection(folder, Definitions.of(programs), stream, aggregate.engine.get(), **options)
    running.start()
    try:
        yield running
    finally:
        await running.stop()


@asynccontextmanager
async def queries(folder: Path, log: Log, **options: Any) -> AsyncIterator[QueryClient]:
    """Queries over a projection of a log, as it is now."""
    async with projection(folder, log.stream, await programs_on(log.stream, **options)) as running:
        await running.reach("0:0", time.monotonic() + 30)
        yield QueryClient(running, timeout=30)


def contents(folder: Path) -> dict[bytes, bytes]:
    """All of a store but how far it is, however its rows are packed."""
    (store,) = stores(folder)
    found: dict[bytes, bytes] = {}
    with lmdb.open(str(store), readonly=True, lock=False) as env, env.begin() as transaction:
        for key, value in transaction.cursor():
            if key.startswith(b"r"):
                found |= {key[:-16] + name: row for name, row in packs.rows(value)}
            elif not key.startswith(b"m"):
                found[key] = value
    return found


def stores(folder: Path) -> list[Path]:
    """The stores that are there, whatever was set aside."""
    return [each for each in folder.iterdir() if ".aside-" not in each.name]


def set_aside(folder: Path) -> list[Path]:
    """What was set aside."""
    return [each for each in folder.iterdir() if ".aside-" in each.name]


async def reach_end(running: Projection, log: Log) -> None:
    """Wait until it has everything."""
    await running.reach(log.stream.position(log.history[-1][0]), time.monotonic() + 60)
