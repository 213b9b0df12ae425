"""What a run prints."""

from __future__ import annotations

from collections.abc import Iterator

from bench.registry import Bench
from bench.results import Results


def lines(results: Results, benches: tuple[Bench, ...], baseline: Results | None) -> Iterator[str]:
    """The table of ratios, with what they are beside, and where the run was made."""
    yield ""
    yield f"{'ratio':34} {'now':>8} {'quartiles':>15} {'target':>9} {'':7} {'baseline':>9}  what"
    for bench in benches:
        row = results.ratios.get(bench.name)
        if row is None:
            yield f"{bench.name:34} {'-':>8} not measured: {results.skipped.get(bench.name, 'it failed, see above')}"
            continue
        met = bench.meets(row.ratio) if not results.conditions["smoke"] else None
        sign = "<=" if bench.better == "lower" else ">="
        target = "" if bench.target is None else f"{sign} {bench.target:g}"
        verdict = "" if met is None else "met" if met else "MISSED"
        old = baseline.ratios.get(bench.name) if baseline is not None else None
        before = f"{old.ratio:.3g}" if old is not None else ""
        spread = f"{row.low:.3g}..{row.high:.3g}"
        yield f"{bench.name:34} {row.ratio:>8.3g} {spread:>15} {target:>9} {verdict:7} {before:>9}  {bench.ours} / {bench.beside}"
    yield ""
    yield "machine: " + ", ".join(f"{name} {value}" for name, value in results.machine.items())
    yield "versions: " + ", ".join(f"{name} {value}" for name, value in results.versions.items())
    if results.conditions["smoke"]:
        yield "a smoke run: the answers are right, the ratios mean nothing"
    elif not results.conditions["quiet"]:
        yield f"NOT A QUIET MACHINE: load {results.conditions['load_per_core']} a core before the run; ratios of I/O may be off"
    if baseline is not None and baseline.machine != results.machine:
        yield f"the baseline was recorded on another machine: {baseline.machine}"
