"""Filters over stored states, as a query runs them over the rows of a projection: bytes in, a flag a row out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any

from orjson import OPT_SORT_KEYS, dumps, loads

import aggregate.engine
import aggregate.language
from bench.programs.order import ORDER
from bench.registry import Bench, Case, Scale, Timed

GAS = 10_000
ROWS = 100_000
PURE_ROWS = 5_000

ACCOUNT_FILTER = 'balance >= 5000 and owner.endswith("7")'
ORDER_FILTER = 'status == "completed" and total > 100 and customer.country in ["NL", "BE"] and len(lines) > 3'


def _account(state: Any) -> bool:
    return bool(state["balance"] >= 5000 and state["owner"].endswith("7"))


def _order(state: Any) -> bool:
    return bool(
        state["status"] == "completed" and state["total"] > 100 and state["customer"]["country"] in ["NL", "BE"] and len(state["lines"]) > 3
    )


def _accounts(count: int) -> list[bytes]:
    random = Random(4)
    return [dumps({"balance": random.randint(0, 10_000), "owner": f"owner-{index}"}) for index in range(count)]


def _orders(count: int) -> list[bytes]:
    kinds = []
    for index, history in enumerate(ORDER.histories(200 * 20)):
        state = loads(ORDER.fold(history[: 20 if index % 2 else 15]))
        state["total"] = index
        kinds.append(dumps(state, option=OPT_SORT_KEYS))
    return [kinds[index % len(kinds)] for index in range(count)]


@contextmanager
def _case(
    scale: Scale, *, engine: str, source: str, test: Callable[[Any], bool], rows: Callable[[int], list[bytes]], count: int
) -> Iterator[Case]:
    states = rows(scale.size(count, 300))
    program = aggregate.engine.get(engine).load(aggregate.language.compile(source, "filter"))
    limit = GAS * len(states)

    def ours() -> bytes:
        found = program.matches(states, None, GAS, limit)
        assert found.error is None, found.error
        assert found.errors == 0, found.first_error
        return bytes(found.rows)

    def beside() -> bytes:
        return bytes([test(loads(state)) for state in states])

    def check(ours: bytes, beside: bytes) -> None:
        assert ours == beside
        assert 0 < sum(ours) < len(ours), "a filter that takes all or nothing shows nothing"

    yield Timed(ours, beside, check, scale.rounds(10 if engine == "native" else 3))


def _benches() -> Iterator[Bench]:
    work = (
        ("account", ACCOUNT_FILTER, _account, _accounts, ROWS),
        ("order", ORDER_FILTER, _order, _orders, ROWS // 5),
    )
    for name, source, test, rows, full in work:
        for engine in ("native", "pure"):
            native = engine == "native"
            count = full if native else PURE_ROWS
            yield Bench(
                name=f"matches.{name}.{engine}",
                ours=f"{engine} filter over {count:,} {name} states: {source}",
                beside="CPython + orjson loop",
                prepare=partial(_case, engine=engine, source=source, test=test, rows=rows, count=count),
                tolerance=0.2,
                target=0.2 if native else None,
                needs=("_native", "_keys") if native else (),
            )


BENCHES = tuple(_benches())
