"""Messages of the log in batches: whatever has come while the batch before was being worked on."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from aggregate.errors import AggregateError, Unavailable
from aggregate.stream.events import EventStream
from aggregate.stream.headers import MESSAGE_ID
from aggregate.stream.interface import StoredMessage
from aggregate.stream.subscription import Passed, Subscription
from aggregate.types.canary import Canary

MOST_MESSAGES: Final = 8192
MOST_BYTES: Final = 32 << 20
GATHER: Final = 0.02
"""Seconds that messages gather at most: a transaction costs a write to the disk, and turns of the interpreter, whatever is in it."""
MANY: Final = 512
"""Messages that are worth a batch."""
ATTEMPTS: Final = 8
FIRST_PAUSE: Final = 0.05
"""A canary that is not there may be a server that is behind: it is asked again, for some 12 seconds in all."""


@dataclass(slots=True)
class Batch:
    """Messages in their order, and the sequence up to which everything has been handed out."""

    messages: list[StoredMessage] = field(default_factory=list)
    sequence: int = 0
    size: int = 0


class Follower:
    """Reads a subscription ahead, within bounds. An async context manager, which does not close the subscription."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._batch = Batch()
        self._come = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._failure: BaseException | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read(), name="projection reader")
        self._reading.add_done_callback(self._ended)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def batch(self) -> Batch | None:
        """What has come since the last call, waiting for at least one thing; None: somebody interrupted the wait.

        Raises:
            StreamError, Unavailable: the subscription ended.
        """
        await self._come.wait()
        if self._failure is None:
            self._come.clear()
        batch, self._batch = self._batch, Batch()
        self._room.set()
        if batch.sequence:
            return batch
        if self._failure is not None:
            raise self._failure
        return None

    async def gather(self, hurry: asyncio.Event) -> None:
        """Let a batch grow, unless somebody is in a hurry, or it is large, or the subscription has ended."""
        if len(self._batch.messages) >= MANY or not self._room.is_set() or self._failure is not None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER):
                await hurry.wait()

    def interrupt(self) -> None:
        """End a wait for the next batch."""
        self._come.set()

    async def mark(self) -> int:
        """Have a mark written into the log (see `Subscription.mark`). Raises Unavailable, StreamError."""
        return await self._subscription.mark()

    async def _read(self) -> None:
        async for item in self._subscription:
            batch = self._batch
            batch.sequence = item.sequence
            if not isinstance(item, Passed):
                batch.messages.append(item)
                batch.size += len(item.body)
            self._come.set()
            if len(batch.messages) >= MOST_MESSAGES or batch.size >= MOST_BYTES:
                self._room.clear()
                await self._room.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            error = task.exception()
            ended = Unavailable(f"the subscription ended: {error!r}", "stream_unreachable")
            self._failure = error if isinstance(error, AggregateError) else ended
            self._come.set()


async def canary_wrong(stream: EventStream, canary: Canary | None) -> str:
    """What shows that the log is not the one that a canary is of, "" where it holds it.

    Raises:
        Unavailable, StreamError: the log cannot be read now.
    """
    if canary is None:
        return ""
    for attempt in range(ATTEMPTS):
        stored = await stream.message_at(canary.sequence)
        if stored is not None:
            found = Canary(stored.sequence, stored.headers.get(MESSAGE_ID, ""), stored.time)
            return "" if found == canary else f"{canary} was projected, the log has {found}"
        await asyncio.sleep(FIRST_PAUSE * 2**attempt)
    return f"{canary} was projected, the log has nothing there"
