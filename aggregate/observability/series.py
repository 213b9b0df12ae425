"""What is counted of the commands of one type and tenant: plain numbers, because a command counts on one event loop and nobody else does.

A counter of prometheus-client takes a lock for each addition; these are made into its families when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from aggregate.errors import Overloaded, TenantAccessDenied
from aggregate.types.record import CommandRecord

BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
LIMITS = {
    "quota_commands": "commands",
    "quota_gas": "gas",
    "quota_in_flight": "in_flight",
    "in_flight": "node_in_flight",
    "queue_full": "queue",
}
"""Reason of a refusal to the label that it counts under."""


class Traced(NamedTuple):
    """The last observation of a bucket that belongs to a sampled trace."""

    trace_id: str
    value: float
    time: float


class Distribution:
    """A histogram: how many observations fell into each bucket, and their sum."""

    __slots__ = ("counts", "sum", "traced")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0
        self.traced: dict[int, Traced] = {}

    def observe(self, value: float) -> int:
        """Count it; the number of its bucket."""
        bucket = bisect_left(BOUNDS, value)
        self.counts[bucket] += 1
        self.sum += value
        return bucket

    def cumulated(self) -> list[int]:
        """Observations up to each bound, and all."""
        return list(_sums(self.counts))


class Series:
    """The numbers of one type and tenant."""

    __slots__ = ("commands", "conflicts", "denied", "duplicates", "duration", "errors", "events", "gas", "refusals")

    def __init__(self) -> None:
        self.commands = 0
        self.events = 0
        self.gas = 0
        self.duplicates = 0
        self.conflicts = 0
        self.denied = 0
        self.errors: dict[str, int] = {}
        self.refusals: dict[str, int] = {}
        self.duration = Distribution()

    def count(self, record: CommandRecord) -> int:
        """Count a command; the number of the bucket that its time fell into."""
        self.commands += 1
        self.conflicts += record.retries
        if record.duplicate:
            self.duplicates += 1  # its events and gas were counted when it was decided
        else:
            self.events += record.events
            self.gas += record.gas
        if code := record.code:
            self.errors[code] = self.errors.get(code, 0) + 1
            if code == TenantAccessDenied.code:
                self.denied += 1
            elif code == Overloaded.code:
                limit = LIMITS.get(record.reason, "other")
                self.refusals[limit] = self.refusals.get(limit, 0) + 1
        return self.duration.observe(record.total_seconds)


def _sums(counts: Sequence[int]) -> list[int]:
    total, sums = 0, []
    for count in counts:
        total += count
        sums.append(total)
    return sums
