"""Compares the whole outcome of cases on two engines, and keeps count of what the cases did."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from aggregate import language
from aggregate.engine import Engine
from aggregate.errors import CompileError

from .cases import Case, case, outcome
from .choices import Choices
from .examples import stream
from .operations import operation

INPUTS = 4
SWEPT = 2
"""Of the cases of a source so many are swept."""
SPARSE = 20
"""One of so many streams of an example is swept."""
SWEEP = 300
"""Cases that use no more gas are run at every limit up to it."""
VECTORS = Path(__file__).parent.parent / "vectors"


@dataclass(frozen=True)
class Difference:
    case: Case
    left: dict[str, Any]
    right: dict[str, Any]

    def __str__(self) -> str:
        lines = [f"{self.case.kind} {self.case.call}, gas {self.case.gas}", self.case.source]
        differing = [name for name in self.left if self.left[name] != self.right[name]]
        lines += [f"  {name}:\n    {self.left[name]!r}\n    {self.right[name]!r}" for name in differing]
        return "\n".join(lines)


@dataclass
class Statistics:
    """What happened, to show that the cases are not hollow."""

    cases: int = 0
    refused: int = 0
    runs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)


class Harness:
    """Runs cases on `left` and `right`."""

    def __init__(self, left: Engine, right: Engine) -> None:
        self.left = left
        self.right = right
        self.statistics = Statistics()

    def seeded(self, seed: int) -> Difference | None:
        """The case of a seed: `INPUTS` seeds in a row share a source, each with its own call and documents."""
        return self.check(case(Choices.seeded(seed // INPUTS), Choices.seeded(-1 - seed)), sweep=seed % INPUTS < SWEPT)

    def operation(self, index: int, seed: int) -> Difference | None:
        """An operation by itself, over the values of a seed."""
        return self.check(operation(index, Choices.seeded(seed, 120)))

    def example(self, seed: int) -> Difference | None:
        """An example program over a stream of a seed."""
        return self.check(stream(Choices.seeded(seed, 300)), sweep=seed % SPARSE == 0)

    def check(self, case: Case, *, sweep: bool = True) -> Difference | None:
        """The first difference of a case, at its own gas limit and, where it uses little, at every smaller one."""
        self.statistics.cases += 1
        try:
            ir = _compiled(case.source, case.kind)
        except CompileError:
            self.statistics.refused += 1
            return None
        difference, left = self._compare(ir, case)
        if difference is not None:
            return difference
        self._count(case, ir, left)
        if sweep and left["gas"] <= SWEEP:
            for gas in range(left["gas"] + 1):
                difference, _ = self._compare(ir, case.with_gas(gas))
                if difference is not None:
                    return difference
        return None

    def _compare(self, ir: bytes, case: Case) -> tuple[Difference | None, dict[str, Any]]:
        self.statistics.runs += 1
        left, right = outcome(self.left, ir, case), outcome(self.right, ir, case)
        return (None if left == right else Difference(case, left, right)), left

    def _count(self, case: Case, ir: bytes, result: dict[str, Any]) -> None:
        self.statistics.calls[case.call] += 1
        error = result.get("error") or result.get("first")
        if error is not None:
            record = json.loads(error)
            self.statistics.outcomes[f"{record['kind']}/{record['code']}"] += 1
        else:
            self.statistics.outcomes["rejected" if result.get("rejection") else "ok"] += 1
        self.statistics.nodes.update(tags(json.loads(ir)))


@lru_cache(maxsize=1024)
def _compiled(source: str, kind: str) -> bytes:
    return language.compile(source, kind)


def tags(node: Any) -> list[str]:
    """The kinds of nodes, operators, functions and methods in an IR."""
    found, stack = [], [node]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            if node and isinstance(node[0], str) and len(node) > 2:
                name = {"bin": 3, "fn": 3, "method": 4}.get(node[0])
                found.append(f"{node[0]} {node[name]}" if name is not None and len(node) > name else node[0])
            stack.extend(node)
    return found


def keep(difference: Difference) -> Path:
    """Write a case that was found to the vectors, where the suite runs it for ever."""
    VECTORS.mkdir(exist_ok=True)
    text = difference.case.dump()
    path = VECTORS / f"{sha256(text.encode()).hexdigest()[:12]}.json"
    path.write_text(text, encoding="utf-8")
    return path
