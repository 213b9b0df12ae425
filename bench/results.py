"""The results of a run as a JSON file, and the comparison of two of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.measure import Measured
from bench.registry import Bench

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One measured ratio, with all that is needed to compare it without the code that measured it."""

    ratio: float
    better: str
    tolerance: float
    target: float | None
    low: float
    high: float
    rounds: int
    ours: float
    beside: float

    @classmethod
    def of(cls, bench: Bench, measured: Measured) -> Self:
        """The row of a benchmark; figures are rounded to what they mean."""
        rounded = {name: float(f"{value:.4g}") for name, value in asdict(measured).items() if name != "rounds"}
        return cls(
            better=bench.better,
            tolerance=bench.tolerance,
            target=bench.target,
            rounds=measured.rounds,
            **rounded,
        )


@dataclass(slots=True)
class Results:
    """A run: on what it was made, the ratios by name, and why others were not measured."""

    machine: Mapping[str, Any]
    versions: Mapping[str, Any]
    conditions: Mapping[str, Any]
    ratios: dict[str, Row] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the file."""
        path.write_text(json.dumps({"v": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that `write` wrote.

        Raises:
            ValueError: of another format.
        """
        members = json.loads(path.read_text())
        if members.pop("v", None) != FORMAT:
            raise ValueError(f"{path}: not of format {FORMAT}; record it anew")
        ratios = {name: Row(**row) for name, row in members.pop("ratios").items()}
        return cls(ratios=ratios, **members)


def failures(now: Results, baseline: Results, benches: Iterable[Bench]) -> dict[str, str]:
    """By benchmark why it is worse than the baseline allows; empty: none is.

    Each ratio may be worse by the tolerance that the baseline states. A ratio of the baseline that could not be measured is a failure too,
    else a build without the native engine would pass. `benches`: those that were asked for.
    """
    found = {}
    for bench in benches:
        old, new = baseline.ratios.get(bench.name), now.ratios.get(bench.name)
        if old is None:
            continue
        if new is None:
            found[bench.name] = f"not measured: {now.skipped.get(bench.name, 'it failed')}"
        elif (worse := bench.worse(new.ratio, old.ratio)) > old.tolerance:
            found[bench.name] = f"{new.ratio:.3g} is {worse:.0%} worse than the baseline's {old.ratio:.3g}; {old.tolerance:.0%} are allowed"
    return found
