"""A real gRPC server on a free port, with a small handler behind it that does what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from dataclasses import dataclass, field

import pytest

from aggregate.client import AggregateClient
from aggregate.config.settings import Settings
from aggregate.errors import NotFound
from aggregate.gateway.health import HealthStatus
from aggregate.gateway.interface import Backend
from aggregate.gateway.server import CommandServer
from aggregate.types import AggregateId, AggregateState, AggregateType, Command, Document, Event, Receipt, TenantId, Version
from aggregate.types.json import canonical, parse
from aggregate.types.stored_events import StoredEvents

START = Version.initial()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that nothing announces."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


@dataclass
class FakeHandler:
    """Accepts everything with one event `done`, unless `decide` says otherwise."""

    seen: list[tuple[Command, float | None]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    decide: Callable[[Command], object] | None = None
    state: AggregateState | None = None
    groups: list[StoredEvents] = field(default_factory=list)
    asked: tuple[int | None, str | None] = (None, None)
    followed: list[str] = field(default_factory=list)
    left: bool = False

    async def submit(self, command: Command, *, deadline: float | None = None) -> Receipt:
        self.seen.append((command, deadline))
        if self.decide is not None:
            outcome = self.decide(command)
            if asyncio.iscoroutine(outcome):
                await outcome
        event = Event(
            command.tenant_id,
            command.aggregate_type,
            command.aggregate_id,
            Version(1),
            Document.of({"type": "done", "what": command.payload.value}),
            command.command_id,
            metadata=command.metadata,
            position="0:7",
        )
        key = (command.tenant_id, command.aggregate_type, command.aggregate_id)
        return Receipt(command.command_id, *key, Version(1), "0:7", False, 12, (event,))

    async def get(
        self,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        aggregate_id: AggregateId,
        *,
        at_version: int | None = None,
        at_time: str | None = None,
    ) -> AggregateState:
        self.asked = (at_version, at_time)
        if self.state is None:
            raise NotFound(aggregate_id)
        return self.state

    async def event_pages(
        self,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        aggregate_id: AggregateId,
        *,
        after_version: Version = START,
        limit: int | None = None,
    ) -> AsyncGenerator[list[Event], None]:
        found = [event for event in self.events if event.version > after_version][:limit]
        for first in range(0, len(found), 100):
            yield found[first : first + 100]

    async def follow(
        self, tenant_id: TenantId, *, after: str, types: Collection[AggregateType], ids: Collection[AggregateId]
    ) -> AsyncIterator[StoredEvents]:
        self.followed.append(after)
        try:
            for group in self.groups:
                yield group
            await asyncio.Event().wait()
        finally:
            self.left = True


@dataclass
class Gateway:
    """The server, its handler, and a way to make clients."""

    server: CommandServer
    handler: FakeHandler

    def client(self, **given: object) -> AggregateClient:
        return AggregateClient(self.server.address, **given)  # type: ignore[arg-type]


def python_canonical(text: bytes) -> bytes:
    return canonical(parse(text))


@pytest.fixture
def handler() -> FakeHandler:
    return FakeHandler()


@pytest.fixture
def settings() -> Settings:
    return Settings(grpc_address="127.0.0.1:0")


@pytest.fixture
async def gateway(handler: FakeHandler, settings: Settings) -> AsyncIterator[Gateway]:
    backend = Backend(lambda: handler, lambda: handler, python_canonical)
    server = CommandServer(backend, settings, lambda: HealthStatus(True, True))
    await server.start()
    yield Gateway(server, handler)
    await server.stop(0)
