"""`Tenancy`: a projection has the rows of the tenants that it is meant to have, also when those become others.

Rows of one that has gone are removed. Of one that comes the log is read from its beginning, beside all else, into the same store; the last
of it while nothing else goes in, so that its rows are as of the same place. Until then nobody gets an answer of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from aggregate.errors import AggregateError
from aggregate.query.following import Follower
from aggregate.query.holdings import HERE, Holdings, Wanted, as_of
from aggregate.query.store import Store
from aggregate.stream.events import EventStream
from aggregate.stream.interface import StoredMessage
from aggregate.stream.subjects import filter_subject
from aggregate.types import TenantId

TOGETHER: Final = 32
"""Tenants that are caught up with at once."""
AGAIN: Final = 1.0
"""Seconds after something went wrong."""
HELD_UP: Final = 2.0
"""Seconds for which everything else may wait for the last messages of those that come."""

InWriter = Callable[..., Awaitable[object]]

log = logging.getLogger("aggregate.query")


class Applies(Protocol):
    """What makes rows."""

    def bring(self, messages: list[StoredMessage], standing: bytes, tenants: frozenset[TenantId]) -> None:
        """Fold in messages of tenants that are coming, and say how they stand then."""


class Tenancy:
    """Of one projection.

    Attributes:
        wanted: whether the rows of a tenant are to be kept here.
        turn: who has it writes what the log has of all tenants (and then tells those who wait), or the last of those that come.
    """

    def __init__(self, stream: EventStream, in_writer: InWriter, wanted: Wanted) -> None:
        self.wanted = wanted
        self.turn = asyncio.Condition()
        self._stream = stream
        self._in_writer = in_writer
        self._look = asyncio.Event()

    def look(self) -> None:
        """Other tenants may be wanted than before."""
        self._look.set()

    def saw(self, holdings: Holdings) -> None:
        """Tenants may have been seen for the first time, and taken in or passed over by what was wanted a moment ago."""
        if any(self.wanted(each) != holdings.has(each) for each in holdings.seen()):
            self.look()

    async def run(self, store: Store, applier: Applies) -> None:
        """See to it for a store that is being kept up with the log, until cancelled."""
        while True:
            self._look.clear()
            try:
                await self._in_writer(store.holdings.dismiss, self.wanted)
                while (tenant := await self._in_writer(store.holdings.erase)) is not None:
                    log.debug("rows of %r are removed", tenant)
                while coming := store.holdings.coming(self.wanted):
                    await self._catch_up(store, applier, coming)
            except (AggregateError, OSError, TimeoutError) as error:
                log.warning("the rows of tenants that come cannot be made: %s", error)
                await asyncio.sleep(AGAIN)
                continue
            await self._look.wait()

    async def _catch_up(self, store: Store, applier: Applies, coming: dict[TenantId, int]) -> None:
        """Take some tenants that come to where the store is."""
        after = min(coming.values())
        tenants = frozenset([each for each, place in coming.items() if place == after][:TOGETHER])
        log.info("projection %s catches up with %d tenants that came", store.folder.name, len(tenants))
        subscription = self._stream.subscribe([filter_subject(each) for each in tenants], after=after)
        async with subscription, Follower(subscription) as follower:
            reading = _Reading(follower, after)
            async for messages in reading.to_the_end():
                await self._in_writer(applier.bring, messages, as_of(reading.brought), tenants)
            async with self.turn:
                await self.turn.wait_for(lambda: store.sequence >= reading.brought)
                async with asyncio.timeout(HELD_UP):
                    rest = [each async for messages in reading.to_the_end() for each in messages if each.sequence <= store.sequence]
                await self._in_writer(applier.bring, rest, HERE, tenants)
        log.info("projection %s has the rows of %d tenants that came", store.folder.name, len(tenants))


class _Reading:
    """What the log has of tenants that come.

    Attributes:
        brought: sequence of the last message that was handed out.
    """

    def __init__(self, follower: Follower, after: int) -> None:
        self._follower = follower
        self.brought = after

    async def to_the_end(self) -> AsyncIterator[list[StoredMessage]]:
        """The lasting messages up to where the log ends now, and perhaps some after it. Raises StreamError, Unavailable."""
        end = await self._follower.mark()
        at = 0
        while at < end:
            batch = await self._follower.batch()
            if batch is None:
                continue
            at = batch.sequence
            if messages := [message for message in batch.messages if not message.expires]:
                self.brought = messages[-1].sequence
                yield messages
