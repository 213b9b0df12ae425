"""Measuring one benchmark: the two sides in turn, so that what else the machine does falls on both."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from bench.registry import Bench, Case, Timed, Weighed


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out.

    Attributes:
        ratio: median of the ratios of the single rounds, whose two sides ran one right after the other.
        ours, beside: median seconds of a round (or the two figures that were weighed).
        low, high: quartiles of those ratios: how much this very run varied.
    """

    ratio: float
    ours: float
    beside: float
    low: float
    high: float
    rounds: int


def measure(bench: Bench, case: Case, benchmark: BenchmarkFixture) -> Measured:
    """Run the case with pytest-benchmark.

    Raises:
        AssertionError: a wrong answer.
    """
    if isinstance(case, Weighed):
        benchmark.pedantic(int)  # type: ignore[no-untyped-call] # pytest-benchmark wants to be used; there is nothing to time
        return _measured(bench, [case.ours], [case.beside])
    return _measured(bench, *_rounds(case, benchmark))


def _rounds(case: Timed, benchmark: BenchmarkFixture) -> tuple[list[float], list[float]]:
    """Seconds of our rounds and of the other's. pytest-benchmark times ours and, before each, lets us time the other."""
    others: list[float] = []
    answer: Any = None

    def before() -> None:
        nonlocal answer
        case.before()
        start = clock()
        answer = case.beside()
        others.append(clock() - start)

    def ours() -> Any:
        answers.append(case.ours())

    def after() -> None:
        case.check(answers.pop(), answer)

    answers: list[Any] = []
    clock = time.perf_counter if case.waits else time.process_time
    benchmark._timer = clock  # pytest-benchmark has one timer for a whole run
    gc.collect()
    gc.freeze()  # what pytest holds is not for the collector to walk through while the clock runs
    try:
        benchmark.pedantic(ours, setup=before, teardown=after, rounds=case.rounds, warmup_rounds=1)  # type: ignore[no-untyped-call]
    finally:
        gc.unfreeze()
    if benchmark.stats is None:  # --benchmark-disable: it ran once and was right
        return [1.0], [1.0]
    return list(benchmark.stats.stats.data), others[-case.rounds :]


def _measured(bench: Bench, ours: list[float], beside: list[float]) -> Measured:
    singles = [mine / theirs if bench.better == "lower" else theirs / mine for mine, theirs in zip(ours, beside, strict=True)]
    low, ratio, high = statistics.quantiles(singles, n=4, method="inclusive") if len(singles) > 1 else singles * 3
    return Measured(ratio, statistics.median(ours), statistics.median(beside), low, high, len(ours))
