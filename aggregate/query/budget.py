"""`Budget`: what one query may cost, and what it has cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Final, Protocol

from aggregate.engine import Matches, Scanned, order
from aggregate.engine.packs import ROW_HEAD, VISIBLE, shown
from aggregate.errors import DeadlineExceeded, Overloaded
from aggregate.query.definitions import meta_of
from aggregate.query.filters import Filter
from aggregate.query.view import Entry, id_of
from aggregate.types import AggregateKey, AggregateType, TenantId

_ONLY_HITS = bytes(int(flag == 1) for flag in range(256))
"""Of the engine's flags, those of rows that match."""
DOCUMENT: Final = ROW_HEAD.size
"""Where the document of a row begins, mostly."""


class Hits(Protocol):
    """Rows that match; a `Scanned` is one."""

    @property
    def count(self) -> int:
        """How many."""

    def entries(self) -> list[Entry]:
        """Id and row of each."""

    def keys(self, paths: Sequence[str]) -> list[bytes]:
        """The keys (`order`) of the values at some paths, row by row."""


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

    def hits(self, found: Filter, tenant_id: TenantId, aggregate_type: AggregateType, entries: list[Entry]) -> Hits:
        """Those of some rows that match.

        Raises:
            Overloaded: the gas is spent. DeadlineExceeded.
        """
        self.check()
        self.rows += len(entries)
        documents = [raw[DOCUMENT:] if raw[0] == VISIBLE else shown(raw) for _, raw in entries]
        if found.program is None:
            return _Fetched(entries, documents)
        metas = None
        if found.needs_meta:
            metas = [
                meta_of(AggregateKey(tenant_id, aggregate_type, id_of(name)), int.from_bytes(raw[1:9], "big")) for name, raw in entries
            ]
        outcome = found.run(documents, metas, self.gas - self.gas_used)
        self._take(outcome)
        flags = outcome.rows.translate(_ONLY_HITS)
        return _Fetched(list(compress(entries, flags)), list(compress(documents, flags)))

    def scan(self, found: Filter, tenant_id: TenantId, aggregate_type: AggregateType, packs: list[bytes], after: bytes) -> Hits:
        """Those rows of packs after an id that match. Raises as `hits`, and Damaged."""
        self.check()
        scanned = found.scan(packs, after, tenant_id, aggregate_type, self.gas - self.gas_used)
        self.rows += scanned.looked
        self._take(scanned)
        return scanned

    def _take(self, outcome: Matches | Scanned) -> None:
        """Count what was done."""
        if outcome.error is not None:
            text = f"the query spent its {self.gas} units of gas after {self.rows} rows or fewer; an index on what it asks for helps"
            raise Overloaded(text, reason="query_gas")
        self.gas_used += outcome.gas
        self.errors += outcome.errors
        if not self.first_error and outcome.first_error is not None:
            self.first_error = outcome.first_error


@dataclass(frozen=True, slots=True)
class _Fetched:
    """Rows that were fetched one by one and match, with their documents."""

    found: list[Entry]
    documents: list[bytes]

    @property
    def count(self) -> int:
        return len(self.found)

    def entries(self) -> list[Entry]:
        return self.found

    def keys(self, paths: Sequence[str]) -> list[bytes]:
        return order.order_keys(self.documents, paths)
