"""`Notices`: a word on core NATS for each command that changed an aggregate, on `notify.<tenant>.<type>.<id>` (empty tenant: `~`).

They are hints: nobody keeps them, some are lost (no connection, too many at once), and they may come before or after whatever they tell of
can be queried. Who must not miss anything follows the log or a live query. Nothing waits for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson

from aggregate.errors import AggregateError
from aggregate.types import AggregateId, AggregateType, TenantId
from aggregate.types.record import CommandRecord

PAUSE = 1.0
"""Seconds without an attempt after one failed."""

Hint = Callable[[str, bytes], bool]


class Notices:
    """An observer of commands that tells of those that changed something.

    Attributes:
        dropped: notices that were not sent.
    """

    def __init__(self, hint: Hint, clock: Callable[[], float] = time.monotonic) -> None:
        """`hint`: `StreamClient.hint`."""
        self.dropped = 0
        self._hint = hint
        self._clock = clock
        self._quiet_until = 0.0

    def observe(self, record: CommandRecord) -> None:
        """Tell of a finished command."""
        if not record.events or record.duplicate or record.outcome != "accepted":
            return
        if self._quiet_until and self._clock() < self._quiet_until:
            self.dropped += 1
            return
        try:
            told = self._hint(_subject(record.tenant_id, record.aggregate_type, record.aggregate_id), notice_body(record))
        except AggregateError:
            told, self._quiet_until = False, self._clock() + PAUSE
        else:
            self._quiet_until = 0.0
        self.dropped += not told


def notice_subject(tenant_id: str = "*", aggregate_type: str = "*", aggregate_id: str = "*") -> str:
    """Where notices of an aggregate are told; `*` stands for any."""
    tenant = "*" if tenant_id == "*" else TenantId(tenant_id) or "~"
    kind = aggregate_type if aggregate_type == "*" else AggregateType(aggregate_type)
    name = aggregate_id if aggregate_id == "*" else AggregateId(aggregate_id)
    return _subject("" if tenant == "~" else tenant, kind, name)


def _subject(tenant_id: str, aggregate_type: str, aggregate_id: str) -> str:
    return f"notify.{tenant_id or '~'}.{aggregate_type}.{aggregate_id}"


def notice_body(record: CommandRecord) -> bytes:
    """What is told: canonical JSON. With the command's context, so that who is woken up can link to it."""
    told = {
        "command_id": record.command_id,
        "correlation_id": record.correlation_id,
        "events": record.events,
        "position": record.position,
        "traceparent": record.traceparent,
        "tracestate": record.tracestate,
        "v": 1,
        "version": record.version,
    }
    return orjson.dumps(told)
