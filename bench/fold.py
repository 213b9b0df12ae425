"""Fold: stored events to a state, JSON in and JSON out. The load of a cold aggregate without the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import aggregate.engine
import aggregate.language
from bench.programs import Example
from bench.programs.bank import BANK
from bench.programs.inventory import INVENTORY
from bench.programs.order import ORDER
from bench.registry import Bench, Case, Scale, Timed

GAS = 1_000_000
NATIVE_EVENTS = 10_000
PURE_EVENTS = 1_000


@contextmanager
def _case(scale: Scale, *, example: Example, engine: str) -> Iterator[Case]:
    full = NATIVE_EVENTS if engine == "native" else PURE_EVENTS
    histories = example.histories(scale.size(full, 200))
    chosen = aggregate.engine.get(engine)
    program = chosen.load(aggregate.language.compile(example.source))
    start = chosen.state(None)

    def ours() -> list[bytes]:
        states = []
        for events in histories:
            folded = program.fold(start, events, GAS, example.meta)
            assert folded.error is None, folded.error
            states.append(folded.state.json())
        return states

    def beside() -> list[bytes]:
        return [example.fold(events) for events in histories]

    yield Timed(ours, beside, check_equal_json, scale.rounds(30 if engine == "native" else 5))


def check_equal_json(ours: list[bytes], beside: list[bytes]) -> None:
    """Equal as values: the two write 75.0 differently, but must mean the same."""
    assert len(ours) == len(beside)
    for mine, theirs in zip(ours, beside, strict=True):
        assert json.loads(mine) == json.loads(theirs), (mine, theirs)


def _benches() -> Iterator[Bench]:
    for example, target in ((BANK, 0.35), (ORDER, 0.5), (INVENTORY, 0.5)):
        for engine in ("native", "pure"):
            native = engine == "native"
            yield Bench(
                name=f"fold.{example.name}.{engine}",
                ours=f"{engine} fold of {NATIVE_EVENTS if native else PURE_EVENTS:,} {example.name} events, JSON to JSON",
                beside="CPython function + orjson",
                prepare=partial(_case, example=example, engine=engine),
                tolerance=0.2,
                target=target if native else None,
                needs=("_native", "_keys") if native else (),
            )


BENCHES = tuple(_benches())
