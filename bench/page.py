"""The table of ratios in README.md, written from the baseline when one is recorded, so that the page never tells of another run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.registry import Bench
from bench.results import Results

PAGE = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- ratios: written by `python -m bench --record` -->\n", "<!-- end of ratios -->\n"


def write(baseline: Results, benches: tuple[Bench, ...]) -> None:
    """Put the baseline's table into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}{table(baseline, benches)}{END}{after}")


def table(baseline: Results, benches: tuple[Bench, ...]) -> str:
    """The table in Markdown."""
    return "".join(f"{line}\n" for line in _lines(baseline, benches))


def _lines(baseline: Results, benches: tuple[Bench, ...]) -> Iterator[str]:
    machine, conditions = baseline.machine, baseline.conditions
    versions = dict(baseline.versions)
    engine = versions.pop("engine")
    yield ""
    yield f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; engine in use: {engine};"
    yield ", ".join(f"{name} {value}" for name, value in versions.items()) + "."
    quiet = "" if conditions["quiet"] else ": **not a quiet machine**"
    yield f"Recorded {conditions['at']} at a load of {conditions['load_per_core']} a core{quiet}."
    yield ""
    yield "| benchmark | ours | beside | ratio | quartiles | target | |"
    yield "|---|---|---|---|---|---|---|"
    for bench in benches:
        row = baseline.ratios.get(bench.name)
        if row is None:
            yield f"| `{bench.name}` | {_cell(bench.ours)} | {_cell(bench.beside)} | not measured | | | |"
            continue
        sign = "≤" if bench.better == "lower" else "≥"
        target = "" if bench.target is None else f"{sign} {bench.target:g}"
        verdict = {None: "", True: "met", False: "**missed**"}[bench.meets(row.ratio)]
        spread = f"{row.low:.3g} – {row.high:.3g}" if row.rounds > 1 else ""
        yield f"| `{bench.name}` | {_cell(bench.ours)} | {_cell(bench.beside)} | {row.ratio:.3g} | {spread} | {target} | {verdict} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
