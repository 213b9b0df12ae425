"""One test a benchmark: prepare, measure, check every answer, keep the ratio."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.measure import measure
from bench.registry import Bench, Scale
from bench.results import Results, Row
from bench.table import BENCHES


@pytest.mark.bench
@pytest.mark.parametrize("bench", BENCHES, ids=lambda bench: bench.name)
def test_ratio(bench: Bench, scale: Scale, results: Results, benchmark: BenchmarkFixture) -> None:
    missing = [name for name in bench.needs if find_spec(f"aggregate.engine.{name}") is None]
    if missing:
        results.skipped[bench.name] = f"{' and '.join(missing)} not built"
        pytest.skip(results.skipped[bench.name])
    with bench.prepare(scale) as case:
        results.ratios[bench.name] = Row.of(bench, measure(bench, case, benchmark))
