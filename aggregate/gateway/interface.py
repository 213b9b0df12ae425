"""What the gateway asks of the node behind it. `AggregateHandler` does it; a test may put something smaller in its place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from aggregate.errors import Unavailable
from aggregate.query.interface import Queries
from aggregate.types import AggregateId, AggregateState, AggregateType, Command, Event, Receipt, TenantId, Version
from aggregate.types.stored_events import StoredEvents

Canonical = Callable[[bytes], bytes]
"""The canonical text of a JSON document. Raises DocumentError or ValidationError for text that is none."""


class Handler(Protocol):
    """Commands in, states and events out. Deadlines are absolute `time.monotonic()` seconds."""

    async def submit(self, command: Command, *, deadline: float | None = None) -> Receipt:
        """Decide a command; returns when its commit is in the log. Commands of one aggregate are decided in the order of the calls: nothing
        is awaited before a command has its place in the queue. Raises what the tree of errors holds.
        """

    async def get(
        self,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        aggregate_id: AggregateId,
        *,
        at_version: int | None = None,
        at_time: str | None = None,
    ) -> AggregateState:
        """The newest state, or as of a version or a time (RFC 3339). Raises NotFound, ValidationError, TenantAccessDenied, ..."""

    def event_pages(
        self,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        aggregate_id: AggregateId,
        *,
        after_version: Version = ...,
        limit: int | None = None,
    ) -> AsyncGenerator[list[Event], None]:
        """The events of one aggregate after a version, in order, some at a time. Raises NotFound, TenantAccessDenied, Unavailable, ..."""


class EventFeed(Protocol):
    """The tenant's events in the order of the log."""

    def follow(
        self, tenant_id: TenantId, *, after: str, types: Collection[AggregateType], ids: Collection[AggregateId]
    ) -> AsyncIterator[StoredEvents]:
        """What is stored after a position ("": from the beginning), then what comes. Raises ValidationError, Unavailable."""


class Trace(Protocol):
    """Who makes spans, where somebody wants them. `metadata` may hold `traceparent` and `tracestate`."""

    def enter(self, metadata: Mapping[str, str]) -> dict[str, str]:
        """A command comes in, with its context; returns the metadata with the context of its own span."""

    def read(self, name: str, metadata: Mapping[str, str], tenant_id: str, events: Iterable[Event]) -> None:
        """Events were handed to a reader with this context."""


def _no_queries() -> Queries:
    raise Unavailable("this node answers no queries", "no_projection")


@dataclass(frozen=True, slots=True)
class Backend:
    """Node parts as the services use them: `handler`, `feed` and `queries` raise Unavailable while the node is not up yet."""

    handler: Callable[[], Handler]
    feed: Callable[[], EventFeed]
    canonical: Canonical
    queries: Callable[[], Queries] = _no_queries
    trace: Trace | None = None
