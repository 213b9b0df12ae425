"""What the gateway asks of this room (`Queries`), and what a projection tells of itself (`Transaction`).

The nouns of queries are in `aggregate.types.queries`, because the client reads and writes them too; they can be had from here as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from aggregate.errors import AggregateError
from aggregate.types import AggregateId, AggregateType, TenantId
from aggregate.types.queries import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Answer,
    Explanation,
    Group,
    Order,
    Query,
    Row,
    Summary,
    WatchEvent,
    WatchKind,
)

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_LIMIT",
    "Answer",
    "Changed",
    "Explanation",
    "Group",
    "LiveQuery",
    "Order",
    "Queries",
    "Query",
    "Row",
    "Summary",
    "Told",
    "Transaction",
    "WatchEvent",
    "WatchKind",
]


@dataclass(frozen=True, slots=True)
class Changed:
    """One aggregate's row after a transaction of the projection: `before` None: there was none, `after` None: there is none any more."""

    before: Row | None
    after: Row | None

    @property
    def aggregate_type(self) -> AggregateType:
        """Its type."""
        row = self.after or self.before
        assert row is not None, "a change has a row before or after"
        return row.aggregate_type


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one transaction of the projection changed, all tenants'; the rows of a tenant stand under its id.

    Attributes:
        position: of the projection after it.
    """

    position: str
    changes: Mapping[TenantId, tuple[Changed, ...]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Told:
    """Items of a live query that are told at once, the same object to all who watch the same.

    Attributes:
        sequence: the place in the log that they are of.
        size: about how many bytes of memory they take.
        encoded: room for a message made of them, by the first who needs it for all of them.
    """

    events: tuple[WatchEvent, ...]
    sequence: int
    size: int
    encoded: Any = None


class LiveQuery(Protocol):
    """A live query that is open: for one task."""

    async def next(self) -> Told:
        """What is to be told next; waits for it. Raises what ended it: ValidationError, DeadlineExceeded, Unavailable."""

    async def next_all(self) -> list[Told]:
        """The same, with what else is there already, up to about what one message should hold."""

    def end(self, error: AggregateError) -> None:
        """Let `next` raise this at once."""


class Queries(Protocol):
    """Answers of the projection: what `QueryClient` is to the gateway. Deadlines are absolute `time.monotonic()` seconds.

    All raise ValidationError (filter, order, token, a type that is not projected; names the field), DeadlineExceeded (`min_position` was
    not reached, or the work was too much), Overloaded (quota, gas), Unavailable (no projection yet).
    """

    async def find(self, tenant_id: TenantId, query: Query, *, deadline: float | None = None) -> Answer:
        """The answer to a query."""

    def watch(
        self,
        tenant_id: TenantId,
        filter: str = "",  # noqa: A002 - the public name
        *,
        aggregate_type: AggregateType | None = None,
        resume_token: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """The rows that match, then what changes in them, until closed."""

    def live(
        self,
        tenant_id: TenantId,
        filter: str = "",  # noqa: A002 - as above
        *,
        aggregate_type: AggregateType | None = None,
        resume_token: str = "",
    ) -> AbstractAsyncContextManager[LiveQuery]:
        """The same for a server of many: open until it is left."""

    async def row(
        self,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        aggregate_id: AggregateId,
        *,
        min_position: str = "",
        deadline: float | None = None,
    ) -> Row | None:
        """One row of the projection."""
