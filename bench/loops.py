"""The interpreter by itself: a loop and two comprehensions over a thousand items, with little JSON around them. Reported only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from orjson import OPT_SORT_KEYS, dumps, loads

import aggregate.engine
import aggregate.language
from bench.registry import Bench, Case, Scale, Timed

GAS = 10_000_000
SOURCE = """\
def apply(state, event):
    total = 0
    for item in state.items:
        if item.quantity >= event.least:
            total += item.quantity * item.price
    large = [item.sku for item in state.items if item.price > 50]
    return {"total": total, "large": len(large), "pieces": sum([item.quantity for item in state.items])}
"""
STATE = dumps({"items": [{"sku": f"SKU-{n}", "quantity": n % 7, "price": n % 100} for n in range(1_000)]}, option=OPT_SORT_KEYS)
EVENT = b'{"least":3,"type":"counted"}'


def apply(state: Any, event: Any) -> Any:
    total = 0
    for item in state["items"]:
        if item["quantity"] >= event["least"]:
            total += item["quantity"] * item["price"]
    large = [item["sku"] for item in state["items"] if item["price"] > 50]
    return {"total": total, "large": len(large), "pieces": sum([item["quantity"] for item in state["items"]])}


@contextmanager
def _case(scale: Scale, *, engine: str) -> Iterator[Case]:
    chosen = aggregate.engine.get(engine)
    program = chosen.load(aggregate.language.compile(SOURCE))
    state, plain = chosen.state(STATE), loads(STATE)
    times = range(scale.size(50 if engine == "native" else 3, 1))

    def ours() -> bytes | None:
        for _ in times:
            answer = program.apply(state, EVENT, None, GAS).value
        return answer

    def beside() -> bytes:
        for _ in times:
            answer = dumps(apply(plain, loads(EVENT)), option=OPT_SORT_KEYS)
        return answer

    def check(ours: bytes | None, beside: bytes) -> None:
        assert ours is not None
        assert json.loads(ours) == json.loads(beside)

    yield Timed(ours, beside, check, scale.rounds(20 if engine == "native" else 5))


BENCHES = tuple(
    Bench(
        name=f"loops.{engine}",
        ours=f"{engine} apply that walks three times over a list of 1,000 maps",
        beside="CPython function",
        prepare=partial(_case, engine=engine),
        tolerance=0.2,
        needs=("_native", "_keys") if engine == "native" else (),
    )
    for engine in ("native", "pure")
)
