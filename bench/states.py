"""A projection of many small states, made by a script, and what pages and scans of it take.

python -m bench.states [COUNT]     # 1,000,000 states; prints times and memory
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from orjson import loads

import aggregate.engine
from aggregate.engine import order
from aggregate.engine.packs import VISIBLE
from aggregate.query.budget import Budget
from aggregate.query.filters import Filters
from aggregate.query.interface import Order
from aggregate.query.ordering import Ordering
from aggregate.query.searching import Found, Question, everything, page
from aggregate.query.store import Store
from aggregate.query.stored import INDEX_TEXT, Rows, StoredRow, index_prefix, row_prefix
from aggregate.types import AggregateType, TenantId
from aggregate.types.canary import Canary

TENANT = TenantId("acme")
KIND = AggregateType("Account")
COUNT = 1_000_000
FILTER = "balance > 50"
GAS = 10**12
LIMIT = 100
ROUNDS = 5
_PART = 50_000
_TIME = b"2026-01-31T12:00:00.000Z"


def filled(folder: Path, count: int) -> tuple[Store, list[bytes]]:
    """A store of accounts with an index on their balances, and their states."""
    store = Store(folder)
    store.indexes = {KIND: ("balance",)}
    random = Random(7)
    states = [b'{"balance":%d,"owner":"owner-%d"}' % (random.randint(0, 1_000_000), number) for number in range(count)]
    for first in range(0, count, _PART):
        part = states[first : first + _PART]

        def put(transaction: Any, first: int = first, part: list[bytes] = part) -> None:
            names = [bytes.fromhex("0190b3f07c1e7cc3a5a0") + number.to_bytes(6, "big") for number in range(first, first + len(part))]
            rows = Rows(transaction)
            for at, (name, state) in enumerate(zip(names, part, strict=True)):
                rows.put(row_prefix(TENANT, KIND), name, StoredRow(VISIBLE, 1, first + at + 1, _TIME, state, state).encode())
            prefix = index_prefix(TENANT, KIND, 0)
            entries = [(prefix + key + name, b"") for key, name in zip(order.order_keys(part, ["balance"], INDEX_TEXT), names, strict=True)]
            transaction.cursor().putmulti(sorted(entries))

        store.write(put, Canary(first + len(part), "", 0))
    return store, states


class Asking:
    """Queries over a store, without client and threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._filters = Filters(aggregate.engine.get())

    def count(self, text: str) -> int:
        """How many rows match, by looking at all of them."""
        found = 0
        with self._store.view() as view:
            view.indexes = {KIND: ()}
            for _, hits in everything(view, self._question(text), self._budget(), [], []):
                found += hits.count
        return found

    def page(self, text: str, *orders: str, after: bytes = b"") -> list[Found]:
        """A page, as a client gets it."""
        with self._store.view() as view:
            return page(view, self._question(text, *orders), after, LIMIT + 1, self._budget())[0]

    def _question(self, text: str, *orders: str) -> Question:
        return Question(TENANT, [KIND], self._filters.get(text), Ordering(tuple(map(Order.of, orders))))

    def _budget(self) -> Budget:
        return Budget(GAS, time.monotonic() + 600)


def main(count: int) -> None:
    """Print what it takes."""
    with tempfile.TemporaryDirectory() as folder:
        store, states = filled(Path(folder) / "states", count)
        asking = Asking(store)
        size = sum(each.stat().st_size for each in (Path(folder) / "states").iterdir())
        print(f"{count:,} states of {sum(map(len, states)) / count:.0f} bytes: {size / count:.0f} bytes a row on disk, index included")
        middle = asking.page("balance > 500000", "balance")[-2].place
        for name, work in {
            "point: balance == 777": lambda: asking.page("balance == 777"),
            "range: 50,000 <= balance < 50,100": lambda: asking.page("balance >= 50000 and balance < 50100"),
            "ordered: balance > 500, first page of 100": lambda: asking.page("balance > 500", "balance"),
            "ordered: balance > 500, page in the middle": lambda: asking.page("balance > 500", "balance", after=middle),
            "ordered: balance > 500, descending": lambda: asking.page("balance > 500", "-balance"),
            "scan: balance > 50, first page of 100": lambda: asking.page(FILTER),
        }.items():
            print(f"{name}: {1e3 * _best(work):.2f} ms")
        scan, loop = _best(lambda: asking.count(FILTER), 3), _best(lambda: [loads(state)["balance"] > 50 for state in states], 3)
        print(f"scan: {FILTER}, all rows: {scan:.2f} s; CPython + orjson loop over the same bytes: {loop:.2f} s; ratio {scan / loop:.2f}")
        print(f"memory at its most, states and loop included: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
        store.close()


def _best(work: Any, rounds: int = ROUNDS) -> float:
    """Processor time of the best round, in seconds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


if __name__ == "__main__":
    main(int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else COUNT)
