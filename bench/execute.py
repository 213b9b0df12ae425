"""One command on a state that is in memory: what the processor does for a warm command inside the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from orjson import OPT_SORT_KEYS, dumps, loads

import aggregate.engine
import aggregate.language
from aggregate.engine import Program
from bench.programs import bank
from bench.registry import Bench, Case, Scale, Timed

GAS = 1_000_000
STATE = b'{"balance":1000,"owner":"Ada Lovelace"}'
WITHDRAW = b'{"amount":75,"type":"withdraw"}'
REFUSED = b'{"amount":7500,"type":"withdraw"}'


@contextmanager
def _execute(scale: Scale, *, engine: str) -> Iterator[Case]:
    chosen, program = _bank(engine)
    state, plain = chosen.state(STATE), loads(STATE)
    times = range(scale.size(5_000 if engine == "native" else 1_000, 10))

    def ours() -> Any:
        for _ in times:
            decision = program.execute(state, WITHDRAW, None, GAS, GAS)
            answer = decision.events, decision.state.json() if decision.state is not None else b""
        return answer

    def beside() -> Any:
        for _ in times:
            answer = bank.execute(plain, WITHDRAW)
        return answer

    yield Timed(ours, beside, _check, scale.rounds(30))


@contextmanager
def _decide(scale: Scale, *, engine: str) -> Iterator[Case]:
    chosen, program = _bank(engine)
    state, plain = chosen.state(STATE), loads(STATE)
    times = range(scale.size(5_000 if engine == "native" else 1_000, 10))

    def ours() -> Any:
        for _ in times:
            answer = program.decide(state, WITHDRAW, None, GAS).value
        return answer

    def beside() -> Any:
        for _ in times:
            answer = dumps(bank.decide(plain, loads(WITHDRAW)), option=OPT_SORT_KEYS)
        return answer

    yield Timed(ours, beside, _check, scale.rounds(30))


@contextmanager
def _reject(scale: Scale, *, engine: str) -> Iterator[Case]:
    chosen, program = _bank(engine)
    state, plain = chosen.state(STATE), loads(STATE)
    times = range(scale.size(5_000 if engine == "native" else 1_000, 10))

    def ours() -> Any:
        for _ in times:
            answer = program.execute(state, REFUSED, None, GAS, GAS).rejection
        return json.loads(answer or b"{}").get("code")

    def beside() -> Any:
        for _ in times:
            try:
                bank.execute(plain, REFUSED)
            except bank.Refused as refusal:
                answer = refusal.args[0]
        return answer

    yield Timed(ours, beside, _check, scale.rounds(30))


def _bank(engine: str) -> tuple[aggregate.engine.Engine, Program]:
    chosen = aggregate.engine.get(engine)
    return chosen, chosen.load(aggregate.language.compile(bank.BANK.source))


def _check(ours: Any, beside: Any) -> None:
    assert ours == beside, (ours, beside)


def _benches() -> Iterator[Bench]:
    work = (
        ("execute", _execute, "execute of one withdraw from Python: event and new state written", 1.2),
        ("decide", _decide, "decide of one withdraw from Python", 1.2),
        ("reject", _reject, "execute of a withdraw that is rejected", None),
    )
    for name, prepare, words, target in work:
        for engine in ("native", "pure"):
            native = engine == "native"
            yield Bench(
                name=f"{name}.bank.{engine}",
                ours=f"{engine} {words}",
                beside="CPython function + orjson",
                prepare=partial(prepare, engine=engine),
                tolerance=0.25,
                target=target if native else None,
                needs=("_native", "_keys") if native else (),
            )


BENCHES = tuple(_benches())
