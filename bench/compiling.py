"""A program's way into memory: source to IR, IR to what runs. Paid once a program, so reported only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import aggregate.engine
import aggregate.language
from bench.programs.bank import BANK
from bench.registry import Bench, Case, Scale, Timed


@contextmanager
def _compile(scale: Scale) -> Iterator[Case]:
    source = BANK.source
    times = range(scale.size(20, 1))

    def ours() -> bytes:
        for _ in times:
            ir = aggregate.language.compile(source)
        return ir

    def beside() -> object:
        for _ in times:
            code = compile(ast.parse(source), "bank.agl", "exec")  # the bank is Python to the letter
        return code

    def check(ours: bytes, beside: object) -> None:
        assert aggregate.language.digest(source).encode() in ours
        assert beside is not None

    yield Timed(ours, beside, check, scale.rounds(5))


@contextmanager
def _load(scale: Scale, *, engine: str) -> Iterator[Case]:
    source = BANK.source
    chosen = aggregate.engine.get(engine)
    ir = aggregate.language.compile(source)
    digest = aggregate.language.digest(source).encode()
    numbers = count()
    tree = ast.parse(source)
    times = range(scale.size(200, 2))

    def ours() -> str:
        for _ in times:
            fresh = b"%064x" % next(numbers)  # else it is in the engine's cache
            program = chosen.load(ir.replace(digest, fresh))
        return program.digest

    def beside() -> object:
        for _ in times:
            code = compile(tree, "bank.agl", "exec")
        return code

    def check(ours: str, beside: object) -> None:
        assert len(ours) == 64
        assert beside is not None

    yield Timed(ours, beside, check, scale.rounds(5))


def _benches() -> Iterator[Bench]:
    yield Bench("compile.bank", "source of the bank to IR", "CPython: the same text parsed and compiled", _compile, tolerance=0.3)
    for engine in ("native", "pure"):
        yield Bench(
            name=f"load.bank.{engine}",
            ours=f"{engine} load of the bank's IR",
            beside="CPython: the same syntax tree compiled",
            prepare=partial(_load, engine=engine),
            tolerance=0.3,
            needs=("_native", "_keys") if engine == "native" else (),
        )


BENCHES = tuple(_benches())
