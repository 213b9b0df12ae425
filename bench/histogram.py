"""A histogram of latencies with a bounded relative error (HDR): small, quick to add to, and exact enough at any percentile."""

from __future__ import annotations

from collections import Counter

PRECISION_BITS = 8
"""A value is kept with so many leading bits: it is off by 0.4 % at most."""


class Histogram:
    """Counts of values (whole numbers from 0 on, here microseconds)."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.count = 0
        self.greatest = 0

    def add(self, value: int) -> None:
        """Count a value."""
        drop = max(0, value.bit_length() - PRECISION_BITS)
        self._counts[(value >> drop) << drop] += 1
        self.count += 1
        self.greatest = max(self.greatest, value)

    def percentile(self, percent: float) -> int:
        """A value that so many percent of all do not exceed, 0.4 % too low at most; 0 where there is none."""
        wanted = self.count * percent / 100
        seen = 0
        for value in sorted(self._counts):
            seen += self._counts[value]
            if seen >= wanted:
                return value
        return self.greatest
