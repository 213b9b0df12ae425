"""`Budget`: what one query may cost, and what it has cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from aggregate.engine import Scanned
from aggregate.errors import DeadlineExceeded, Overloaded
from aggregate.query.filters import Filter
from aggregate.types import AggregateType, TenantId


@dataclass(slots=True)
class Budget:
    """One query's limits and counts.

    Attributes:
        gas: that the filter may use in all.
        deadline: `time.monotonic()` seconds.
        given_up: set when nobody waits for the answer any more.
        rows, gas_used, errors, first_error: so far, as in `Explanation`.
    """

    gas: int
    deadline: float
    given_up: threading.Event = field(default_factory=threading.Event)
    rows: int = 0
    gas_used: int = 0
    errors: int = 0
    first_error: bytes = b""

    def check(self) -> None:
        """Raises DeadlineExceeded where there is no time left, or nobody who waits."""
        if self.given_up.is_set() or time.monotonic() > self.deadline:
            raise DeadlineExceeded(f"the query had read {self.rows} rows when its time was over; an index on what it asks for helps")

    def scan(
        self,
        found: Filter,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        packs: Sequence[bytes],
        *,
        after: bytes = b"",
        chosen: bytes | None = None,
    ) -> Scanned:
        """Those rows of packs that match: see `Filter.scan`.

        Raises:
            Overloaded: the gas is spent. DeadlineExceeded, Damaged.
        """
        self.check()
        scanned = found.scan(packs, tenant_id, aggregate_type, after=after, chosen=chosen, gas=self.gas - self.gas_used)
        self.rows += scanned.looked
        if scanned.error is not None:
            text = f"the query spent its {self.gas} units of gas after {self.rows} rows or fewer; an index on what it asks for helps"
            raise Overloaded(text, reason="query_gas")
        self.gas_used += scanned.gas
        self.errors += scanned.errors
        if not self.first_error and scanned.first_error is not None:
            self.first_error = scanned.first_error
        return scanned
