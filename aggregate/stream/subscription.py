"""What a subscription to the log is, whatever log it is of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from aggregate.stream.interface import StoredMessage


@dataclass(frozen=True, slots=True)
class Passed:
    """Every message of the subscription up to this stream sequence has been handed out: a place to go on from, as good as a message's."""

    sequence: int


class Subscription(Protocol):
    """The messages on some subjects after a place, in the order of the log, then those that come; it outlives lost connections.

    An async context manager and an async iterator for one task.
    """

    def __aiter__(self) -> AsyncIterator[StoredMessage | Passed]: ...

    async def __anext__(self) -> StoredMessage | Passed:
        """The next message, or how far we are. Waits for ever; StopAsyncIteration after `close`."""

    async def mark(self) -> int:
        """Write a mark into the log that comes out of the subscription as `Passed`, after all that stands before it; returns its sequence.

        For a reader who waits for a position beyond our last message: when the mark comes out, the position has been passed.

        Raises:
            Unavailable, StreamError: it may not have been written.
        """

    async def close(self) -> None:
        """End it; whoever iterates is told."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
