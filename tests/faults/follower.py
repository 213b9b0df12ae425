"""One who follows a tenant's events from the beginning, by any node that answers, going on from the last place when a node is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from aggregate.client import AggregateClient
from aggregate.errors import AggregateError
from aggregate.types import Event
from aggregate.types.json import parse
from aggregate.types.stored_events import StoredEvents

from .history import History, Key, SeenEvent

PATIENCE = 5.0
"""Seconds without events after which the follower asks another node: a connection may hang for longer than a campaign."""


class Follower:
    """Follows one tenant until it is cancelled.

    Attributes:
        resumed: how often it had to go on after a call had ended.
        strange: errors that no fault excuses.
    """

    def __init__(self, nodes: list[AggregateClient], tenant: str, history: History, seed: int) -> None:
        self.tenant = tenant
        self.resumed = 0
        self.strange: list[str] = []
        self._nodes = nodes
        self._random = random.Random(seed)
        self._seen = history.followed.setdefault(tenant, [])
        self._ids: set[str] = set()
        self._position = ""

    async def run(self) -> None:
        """Follow."""
        while True:
            try:
                await self._follow(self._random.choice(self._nodes))
            except TimeoutError:
                pass
            except AggregateError as error:
                if not error.retryable:
                    self.strange.append(repr(error))
            self.resumed += 1
            await asyncio.sleep(self._random.uniform(0.02, 0.2))

    async def caught_up(self, event_ids: set[str]) -> None:
        """Wait until all these events have come."""
        while not event_ids <= self._ids:  # noqa: ASYNC110 (they come from another process)
            await asyncio.sleep(0.02)

    async def _follow(self, node: AggregateClient) -> None:
        subscription = cast("AsyncGenerator[StoredEvents, None]", node.subscribe(after_position=self._position))
        async with aclosing(subscription) as stored:
            while True:
                async with asyncio.timeout(PATIENCE):
                    found = await anext(stored)
                self._seen += [seen(event) for event in found.events]
                self._ids |= {event.event_id for event in found.events}
                self._position = found.position


def seen(event: Event) -> tuple[Key, SeenEvent]:
    """An event as a history keeps it."""
    key = Key(event.tenant_id, event.aggregate_type, event.aggregate_id)
    return key, SeenEvent(int(event.version), event.event_id, parse(event.payload.text))
