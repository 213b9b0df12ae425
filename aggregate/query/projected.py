"""`Projected`: what live queries ask of the projection; `Listener`: what it tells them, without being asked.

The projection on LMDB does it, `aggregate.testing.MemoryProjection` in memory. Everything here is called on one event loop. Positions are
compared by `aggregate.stream.positions` alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from aggregate.errors import ValidationError, quote
from aggregate.query.interface import Changed, Row, Transaction
from aggregate.types import AggregateType, TenantId


class Matcher(Protocol):
    """A compiled filter. Equal ones (the same text) may be one object."""

    def matches(self, rows: Sequence[Row]) -> Sequence[bool]:
        """Which rows match; one on which the filter fails does not. Costs at most 10,000 gas a row."""


class Listener(Protocol):
    """Gets every transaction once, in order, after it was committed and before its position is told to anybody who waits for it.

    Must neither block nor raise.
    """

    def committed(self, transaction: Transaction) -> None:
        """A transaction: `before` and `after` of each row that it made, changed, hid or removed, as a reader saw and sees it."""

    def replaced(self) -> None:
        """Another projection took the place of the one before (programs or definition changed, another log): every row may differ."""

    def stopped(self) -> None:
        """There is no projection any more: the node stops, or waits for one. No more calls but `replaced`."""


class Reading(Protocol):
    """The rows of a tenant that match a filter, all as of one position: one read transaction, while it is open.

    Attributes:
        incarnation: what the rows are made of: log, programs, definition. The same text on every node and after a restart where they are
            the same; only then do positions and rows of one say something of the other.
    """

    @property
    def position(self) -> str: ...

    @property
    def incarnation(self) -> str: ...

    def pages(self) -> AsyncIterator[Sequence[Row]]:
        """The rows, some at a time, in any order; lets others work in between."""

    async def changed(self, after: str, most: int) -> Sequence[Changed] | None:
        """Where the tenant's rows of the type that changed after a position stand now, matching or not: `after` is the row; None with
        `before` set to the row as far as it is known (its key, version, position; document `null`) for one that is hidden or gone.

        None: there are more than `most`, or nobody can tell (the position is before what is kept).
        """


class Projected(Protocol):
    """The projection, as live queries see it."""

    @property
    def types(self) -> Collection[AggregateType]:
        """The types that are projected."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` from now on; what is returned ends that."""

    def matcher(self, filter_text: str) -> Matcher:
        """The compiled filter ("": every row). Raises ValidationError, which names `filter` and shows the place."""

    def reading(self, tenant_id: TenantId, aggregate_type: AggregateType | None, matcher: Matcher) -> AbstractAsyncContextManager[Reading]:
        """Open a read transaction. Raises Unavailable where there is no projection yet."""

    async def reach(self, position: str, deadline: float) -> None:
        """Wait until the projection has come to a position of the log. Raises DeadlineExceeded, ValidationError (no position)."""


def check_projected(aggregate_type: AggregateType | None, types: Collection[AggregateType]) -> None:
    """Raises ValidationError where a type is asked for (None: any) that is not among those that are projected."""
    if aggregate_type is not None and aggregate_type not in types:
        known = ", ".join(sorted(types)) or "none"
        raise ValidationError(f"{quote(str(aggregate_type))} is not projected; projected are: {known}", "aggregate_type")
