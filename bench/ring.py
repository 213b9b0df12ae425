"""Where a tenant lives, asked for every call that names one: the compiled ring beside the pure one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from aggregate.engine.pure.ring import HashRing
from bench.registry import Bench, Case, Scale, Timed

NODES = [f"node-{number}" for number in range(8)]


@contextmanager
def _lookup(scale: Scale) -> Iterator[Case]:
    tenants = [f"tenant-{number}" for number in range(scale.size(2_000, 100))]
    compiled = import_module("aggregate.engine._native").HashRing(NODES, 128)
    plain = HashRing(NODES, 128)

    def run(ring: Any) -> None:
        deque(map(ring.get_node, tenants), maxlen=0)

    def check(ours: Any, beside: Any) -> None:
        assert ours is beside is None  # nothing is kept while the clock runs; what is found was compared above

    assert list(map(compiled.get_node, tenants)) == list(map(plain.get_node, tenants))
    yield Timed(partial(run, compiled), partial(run, plain), check, scale.rounds(40))


BENCHES = (
    Bench(
        name="ring.lookup",
        ours="compiled `HashRing.get_node`, 8 nodes of 128 points",
        beside="pure twin",
        prepare=_lookup,
        tolerance=0.25,
        target=0.3,
        needs=("_native",),
    ),
)
