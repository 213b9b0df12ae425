"""A node in memory: the handler on the in-memory twins of log and snapshot store, with a clock that tests turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from aggregate.config import AggregateManifest, Settings
from aggregate.handler import AggregateHandler
from aggregate.handler.log_guard import LogGuard
from aggregate.node import register
from aggregate.runtime import RuntimeExecutor
from aggregate.stream.codec import decode_message
from aggregate.testing import LENIENT_BANK, MemoryStorage, MemoryStream
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, Commit, TenantId
from aggregate.types.record import CommandRecord


@dataclass
class World:
    """One log, and as many nodes on it as a test wants."""

    stream: MemoryStream = field(default_factory=MemoryStream)
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    records: list[CommandRecord] = field(default_factory=list)

    async def node(
        self,
        sources: Mapping[str, str] | None = None,
        *,
        definition: Mapping[str, Any] | None = None,
        guard: LogGuard | None = None,
        **settings: Any,
    ) -> AggregateHandler:
        """A node of its own: it shares the log with the others and nothing else but the snapshots."""
        given = Settings(**{"nats_url": "nats://memory:4222", "retry_backoff": 0.001, "snapshot_threshold": 3, **settings})
        executor = RuntimeExecutor.of_settings(given)
        manifest = AggregateManifest.of_sources(sources or {"Account": LENIENT_BANK}, **(definition or {}))
        programs = await register(executor.load(manifest), self.stream)
        return AggregateHandler(given, programs, self.storage, self.stream, [self.records.append], guard)

    async def commits(self, command: Command) -> list[Commit]:
        """All commits of the aggregate that a command is for."""
        key = AggregateKey(command.tenant_id, command.aggregate_type, command.aggregate_id)
        last = await self.stream.last(key)
        messages = await self.stream.read(key, after=0, upto=last.sequence) if last else []
        return [commit for message in messages for commit in decode_message(message).commits]


@pytest.fixture
def world() -> World:
    return World()


def deposit(amount: int = 10, **members: Any) -> Command:
    """A deposit, on a new account of tenant-a unless told otherwise."""
    return Command.new_test({"type": "deposit", "amount": amount}, **members)


def on(command: Command, payload: Any, **members: Any) -> Command:
    """Another command for the same aggregate."""
    given = {"tenant_id": command.tenant_id, "aggregate_type": command.aggregate_type, "aggregate_id": command.aggregate_id}
    return Command(**{**given, "payload": payload, **members})


def account(tenant: str = "tenant-a") -> dict[str, Any]:
    """Members of a command for a new account."""
    return {"tenant_id": TenantId(tenant), "aggregate_type": AggregateType("Account"), "aggregate_id": AggregateId.new_v7()}
