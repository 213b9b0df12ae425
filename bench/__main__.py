"""`python -m bench`: run the benchmarks, print the ratios, compare or record them.

Exit codes: 0 fine, 1 an answer was wrong or a ratio is worse than the baseline allows, 2 wrong use.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from bench import page, report
from bench.registry import Bench
from bench.results import Results, failures
from bench.table import BENCHES

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
BASELINE = HERE / "baseline.json"


def main() -> int:
    options = _options()
    chosen = tuple(bench for bench in BENCHES if not options.only or any(bench.name.startswith(each) for each in options.only))
    if not chosen:
        sys.exit(f"no benchmark of that name; known are {', '.join(bench.name for bench in BENCHES)}")
    if options.list:
        for bench in chosen:
            print(f"{bench.name:34} {bench.ours} / {bench.beside}")
        return 0
    results, code = _run(chosen, smoke=options.smoke, results=options.results)
    baseline_path = options.compare or BASELINE
    baseline = Results.read(baseline_path) if baseline_path.exists() else None
    for line in report.lines(results, chosen, baseline):
        print(line)
    if options.compare is not None:
        code = code or _compare(results, baseline, options.compare, chosen, options.results)
    if options.record:
        code = code or _record(results, baseline)
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run the benchmarks and write their ratios.")
    parser.add_argument("--only", action="append", metavar="PREFIX", help="only benchmarks whose name starts so; may be repeated")
    parser.add_argument("--list", action="store_true", help="say what there is and leave")
    parser.add_argument("--smoke", action="store_true", help="one small round each: only see that all run and answer right")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="fail where a ratio is worse than this baseline allows")
    parser.add_argument("--record", action="store_true", help=f"make what was measured the baseline ({BASELINE.name})")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="where the results go")
    options = parser.parse_args()
    if options.smoke and (options.compare or options.record):
        parser.error("the ratios of a smoke run mean nothing: they are neither compared nor recorded")
    return options


def _run(benches: tuple[Bench, ...], *, smoke: bool, results: Path) -> tuple[Results, int]:
    results.unlink(missing_ok=True)
    tests = [f"{HERE / 'test_ratios.py'}::test_ratio[{bench.name}]" for bench in benches]
    quiet = ["-q", "--no-header", "--benchmark-quiet", "--benchmark-max-time=0", "--benchmark-warmup=off"]
    isolated = ["-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(HERE.parent), "-o", "timeout=300"]
    code = pytest.main([*quiet, *isolated, *(["--smoke"] if smoke else []), "--results", str(results), *tests])
    if not results.exists():
        sys.exit(int(code) or 1)
    return Results.read(results), int(code != pytest.ExitCode.OK)


def _compare(results: Results, baseline: Results | None, path: Path, benches: tuple[Bench, ...], written: Path) -> int:
    """What looks worse is measured once more: a machine that was busy for a moment is no regression, what is worse twice is."""
    if baseline is None:
        print(f"\n{path} is not there; `python -m bench --record` writes {BASELINE}")
        return 2
    if results.versions["engine"] != baseline.versions["engine"]:
        print(f"\nnot comparable: the baseline was recorded with the {baseline.versions['engine']} engine in use")
        return 2
    found = failures(results, baseline, benches)
    if found:
        print(f"\nmeasured once more: {', '.join(found)}")
        again, _ = _run(tuple(bench for bench in benches if bench.name in found), smoke=False, results=written)
        results.ratios |= again.ratios
        results.write(written)
        found = failures(results, baseline, benches)
    print("\nworse than the baseline allows:" if found else "\nno ratio is worse than the baseline allows")
    for name, why in found.items():
        print(f"  {name}: {why}")
    return int(bool(found))


def _record(results: Results, baseline: Results | None) -> int:
    """Ratios that were not asked for this time stay as they were."""
    if baseline is not None:
        results.ratios = {name: row for name, row in (baseline.ratios | results.ratios).items() if name in {b.name for b in BENCHES}}
    results.write(BASELINE)
    page.write(results, BENCHES)
    print(f"\nrecorded {BASELINE} and the table of {page.PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
