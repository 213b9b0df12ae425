"""`Budget`: what one query may cost, and what it has cost."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from aggregate.errors import DeadlineExceeded, Overloaded
from aggregate.query.definitions import meta_of
from aggregate.query.filters import Filter
from aggregate.query.stored import DOCUMENT, VISIBLE, shown_of
from aggregate.query.view import ID, Entry, id_of
from aggregate.types import AggregateKey, AggregateType, TenantId

_ONLY_HITS = bytes(int(flag == 1) for flag in range(256))
"""Of the engine's flags, those of rows that match."""


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

    def hits(self, found: Filter, tenant_id: TenantId, aggregate_type: AggregateType, entries: list[Entry]) -> tuple[list[bytes], bytes]:
        """The documents of some rows, and for each whether it matches: one byte, 0 or 1.

        Raises:
            Overloaded: the gas is spent. DeadlineExceeded.
        """
        self.check()
        self.rows += len(entries)
        documents = [raw[DOCUMENT:] if raw[0] == VISIBLE else shown_of(raw) for _, raw in entries]
        if found.program is None:
            return documents, b"\1" * len(documents)
        metas = None
        if found.needs_meta:
            metas = [
                meta_of(AggregateKey(tenant_id, aggregate_type, id_of(key[-ID:])), int.from_bytes(raw[8:16], "big")) for key, raw in entries
            ]
        outcome = found.run(documents, metas, self.gas - self.gas_used)
        if outcome.error is not None:
            text = f"the query spent its {self.gas} units of gas after {self.rows} rows or fewer; an index on what it asks for helps"
            raise Overloaded(text, reason="query_gas")
        self.gas_used += outcome.gas
        self.errors += outcome.errors
        if not self.first_error and outcome.first_error is not None:
            self.first_error = outcome.first_error
        return documents, outcome.rows.translate(_ONLY_HITS)
