"""What a benchmark is: a named ratio, how it is prepared, and how far it may get worse before that is a failure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much work a run does. A smoke run only shows that every benchmark runs and answers right."""

    smoke: bool

    def size(self, full: int, smoke: int) -> int:
        """Items of work in a round."""
        return smoke if self.smoke else full

    def rounds(self, full: int) -> int:
        """Measured rounds."""
        return 1 if self.smoke else full


@dataclass(frozen=True, slots=True)
class Timed:
    """Two ways to the same answer; each call is one timed round.

    Attributes:
        check: gets the answers of a round, raises AssertionError where they are wrong. Not timed, called for every round.
        rounds: measured pairs of rounds, after one that is not.
        before: called before each pair, not timed: for what must be new every time.
        waits: for a disk or a network. Then the clock on the wall counts, else processor time, which a busy machine does not lengthen.
    """

    ours: Callable[[], Any]
    beside: Callable[[], Any]
    check: Callable[[Any, Any], None]
    rounds: int
    before: Callable[[], None] = lambda: None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Weighed:
    """Two figures that are not times (bytes), measured while the case was prepared."""

    ours: float
    beside: float


Case = Timed | Weighed


@dataclass(frozen=True, slots=True)
class Bench:
    """One ratio.

    Attributes:
        name: dotted, what it is known by in the baseline.
        ours, beside: the two sides in words.
        prepare: makes the case; what it holds (servers, folders) is released on leaving.
        tolerance: share by which the ratio may be worse than the baseline's, by how much it varies between quiet runs.
        target: bound of the ratio, None where it is only reported.
        better: `lower`: the ratio is our time (or bytes) over the other's; `higher`: our rate over the other's.
        needs: compiled modules of `aggregate.engine`, without which there is nothing to measure.
    """

    name: str
    ours: str
    beside: str
    prepare: Callable[[Scale], AbstractContextManager[Case]]
    tolerance: float
    target: float | None = None
    better: Better = "lower"
    needs: tuple[str, ...] = ()

    def worse(self, ratio: float, baseline: float) -> float:
        """By which share `ratio` is worse than `baseline` (negative: better)."""
        return (ratio / baseline if self.better == "lower" else baseline / ratio) - 1

    def meets(self, ratio: float) -> bool | None:
        """Whether the target is met; None: there is none."""
        if self.target is None:
            return None
        return ratio <= self.target if self.better == "lower" else ratio >= self.target
