"""The benchmarks hang together: list, baseline, page; and a run can fail for a wrong answer and for a worse ratio."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.fixture import BenchmarkFixture

from bench import page
from bench.histogram import Histogram
from bench.measure import Measured, measure
from bench.registry import Bench, Timed, Weighed
from bench.results import Results, Row, failures
from bench.table import BENCHES

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "bench" / "baseline.json"
LOWER = Bench("a.lower", "ours", "beside", prepare=cast(Any, None), tolerance=0.2, target=0.5)
HIGHER = Bench("a.higher", "ours", "beside", prepare=cast(Any, None), tolerance=0.2, target=0.5, better="higher")


class Immediate:
    """Calls what pytest-benchmark would call, and measures nothing."""

    stats = None
    _timer: Any = None

    def pedantic(self, target: Callable[[], Any], setup: Callable[[], Any] = int, teardown: Callable[[], Any] = int, **_: Any) -> None:
        setup()
        target()
        teardown()


def _results(**ratios: float) -> Results:
    rows = {bench.name: Row.of(bench, Measured(ratios[bench.better], 1, 1, 1, 1, 1)) for bench in (LOWER, HIGHER) if bench.better in ratios}
    return Results({"cpu": "x"}, {"engine": "native"}, {"smoke": False}, rows)


def test_every_benchmark_has_a_name_of_its_own_and_says_what_it_compares() -> None:
    assert len({bench.name for bench in BENCHES}) == len(BENCHES)
    for bench in BENCHES:
        assert bench.ours, bench.name
        assert bench.beside, bench.name
        assert 0 < bench.tolerance <= 0.5, bench.name


def test_the_baseline_is_of_these_benchmarks() -> None:
    baseline = Results.read(BASELINE)
    assert set(baseline.ratios) == {bench.name for bench in BENCHES}
    assert not baseline.conditions["smoke"]
    assert baseline.versions["engine"] == "native"
    for bench in BENCHES:
        row = baseline.ratios[bench.name]
        assert (row.better, row.tolerance, row.target) == (bench.better, bench.tolerance, bench.target), f"{bench.name}: record it anew"


def test_the_page_shows_the_baseline() -> None:
    shown = page.PAGE.read_text().partition(page.BEGIN)[2].partition(page.END)[0]
    assert shown == page.table(Results.read(BASELINE), BENCHES)
    missing = [bench.name for bench in BENCHES if bench.target is not None and f"`{bench.name}`" not in shown]
    assert not missing


def test_a_wrong_answer_fails() -> None:
    def check(ours: int, beside: int) -> None:
        assert ours == beside

    benchmark = cast(BenchmarkFixture, Immediate())
    measure(LOWER, Timed(lambda: 1, lambda: 1, check, 1), benchmark)
    with pytest.raises(AssertionError):
        measure(LOWER, Timed(lambda: 1, lambda: 2, check, 1), benchmark)


def test_a_figure_that_is_no_time_is_compared_as_it_is() -> None:
    assert measure(LOWER, Weighed(512, 2048), cast(BenchmarkFixture, Immediate())).ratio == 0.25


@pytest.mark.parametrize(
    ("now", "worse"),
    [
        ({"lower": 0.31, "higher": 0.8}, []),
        ({"lower": 0.36, "higher": 0.67}, []),
        ({"lower": 0.37, "higher": 0.8}, ["a.lower"]),
        ({"lower": 0.1, "higher": 0.6}, ["a.higher"]),
        ({"lower": 9.0, "higher": 0.1}, ["a.lower", "a.higher"]),
        ({"higher": 0.8}, ["a.lower"]),
    ],
)
def test_a_ratio_that_is_worse_than_its_tolerance_allows_fails(now: dict[str, float], worse: list[str]) -> None:
    assert list(failures(_results(**now), _results(lower=0.3, higher=0.8), (LOWER, HIGHER))) == worse


def test_the_tolerance_that_counts_is_the_one_the_baseline_states() -> None:
    assert failures(_results(lower=0.37), _results(lower=0.3), (replace(LOWER, tolerance=0.5),))


def test_what_is_not_in_the_baseline_yet_does_not_fail() -> None:
    assert not failures(_results(lower=1.0), _results(), (LOWER,))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = _results(lower=0.3, higher=0.8)
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results
    (tmp_path / "old.json").write_text("{}")
    with pytest.raises(ValueError, match="record it anew"):
        Results.read(tmp_path / "old.json")


def test_targets_are_met_on_the_right_side() -> None:
    assert (LOWER.meets(0.5), LOWER.meets(0.51)) == (True, False)
    assert (HIGHER.meets(0.5), HIGHER.meets(0.49)) == (True, False)
    assert replace(LOWER, target=None).meets(0.1) is None


def test_a_smoke_run_writes_its_results(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--smoke", "--only", "compile", "--results", str(out)]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # a worker of xdist measures nothing
    run = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "the ratios mean nothing" in run.stdout
    written = json.loads(out.read_text())
    assert set(written["ratios"]) == {"compile.bank"}
    assert written["machine"]["cores"] >= 1
    assert written["versions"]["python"]
    refused = subprocess.run([*command, "--record"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert refused.returncode == 2


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=300), st.floats(0.1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[int], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(0, math.ceil(len(values) * percent / 100 - 1e-9) - 1)]
    assert exact * (1 - 1 / 128) <= histogram.percentile(percent) <= exact
    assert (histogram.count, histogram.greatest) == (len(values), max(values))
    assert Histogram().percentile(percent) == 0
