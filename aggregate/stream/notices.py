"""`Notices`: a word on core NATS for each command that changed an aggregate, on `notify.<tenant>.<type>.<id>` (empty tenant: `~`).

They are hints: nobody keeps them, some are lost (no connection, too many at once), and they may come before or after whatever they tell of
can be queried. Who must not miss anything follows the log or a live query. Nothing waits for them.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable

from aggregate.errors import AggregateError
from aggregate.types import AggregateId, AggregateType, TenantId
from aggregate.types.record import CommandRecord

MOST_WAITING = 10_000
SENT_AT_ONCE = 64
PAUSE = 1.0
"""Seconds without an attempt after one failed."""

Notify = Callable[[str, bytes], Awaitable[None]]


class Notices:
    """An observer of commands that tells of those that changed something.

    Attributes:
        dropped: notices that were not sent.
    """

    def __init__(self, notify: Notify) -> None:
        """`notify`: `StreamClient.notify`."""
        self.dropped = 0
        self._notify = notify
        self._waiting: deque[CommandRecord] = deque()
        self._sending: asyncio.Task[None] | None = None

    def observe(self, record: CommandRecord) -> None:
        """Tell of a finished command, later."""
        if not record.events or record.duplicate or record.outcome != "accepted":
            return
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append(record)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send(), name="notices")

    async def close(self) -> None:
        """Send no more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send(self) -> None:
        while self._waiting:
            for _ in range(min(SENT_AT_ONCE, len(self._waiting))):
                record = self._waiting.popleft()
                try:
                    await self._notify(notice_subject(record.tenant_id, record.aggregate_type, record.aggregate_id), notice_body(record))
                except AggregateError:
                    self.dropped += 1 + len(self._waiting)
                    self._waiting.clear()  # what could not be told at once is old news
                    await asyncio.sleep(PAUSE)
                    break
            await asyncio.sleep(0)


def notice_subject(tenant_id: str = "*", aggregate_type: str = "*", aggregate_id: str = "*") -> str:
    """Where notices of an aggregate are told; `*` stands for any."""
    tenant = "*" if tenant_id == "*" else TenantId(tenant_id) or "~"
    kind = aggregate_type if aggregate_type == "*" else AggregateType(aggregate_type)
    name = aggregate_id if aggregate_id == "*" else AggregateId(aggregate_id)
    return f"notify.{tenant}.{kind}.{name}"


def notice_body(record: CommandRecord) -> bytes:
    """What is told: canonical JSON."""
    told = {
        "command_id": record.command_id,
        "correlation_id": record.correlation_id,
        "events": record.events,
        "position": record.position,
        "v": 1,
        "version": record.version,
    }
    return json.dumps(told, separators=(",", ":")).encode()
