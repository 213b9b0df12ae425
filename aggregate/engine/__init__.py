"""The only door to compiled code: `get` gives the engine, native or pure, and this module names what an engine deals in.

`AGGREGATE_ENGINE` decides for the whole process: `native` demands the compiled engine, `pure` the Python one, `auto` (the default) takes
the native one where it is built. Nothing else in the project asks which one it has.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Final, cast

from aggregate.engine.interface import CommitFold, Decision, Engine, Evaluation, Fold, FoldExpectation, Matches, Program, Scanned, State
from aggregate.errors import ConfigError, Mistake

__all__ = [
    "CommitFold",
    "Decision",
    "Engine",
    "Evaluation",
    "Fold",
    "FoldExpectation",
    "Matches",
    "Program",
    "Scanned",
    "State",
    "available",
    "get",
]

VARIABLE: Final = "AGGREGATE_ENGINE"
CHOICES: Final = ("auto", "native", "pure")
_COMPILED: Final = ("aggregate.engine._native", "aggregate.engine._keys")


def get(name: str | None = None) -> Engine:
    """The engine `name` (`auto`, `native` or `pure`); None: the one that `AGGREGATE_ENGINE` asks for.

    Raises:
        ConfigError: an unknown name, or the native engine is asked for and not built.
    """
    chosen = name if name is not None else os.environ.get(VARIABLE) or "auto"
    if chosen not in CHOICES:
        raise ConfigError([Mistake(VARIABLE, f"{chosen!r} is no engine; one of {', '.join(CHOICES)}")])
    if chosen == "auto":
        chosen = "native" if available("native") else "pure"
    return _engine(chosen)


def available(name: str) -> bool:
    """Whether the engine can be had here (`pure` always can)."""
    return name == "pure" or (name == "native" and find_spec(_COMPILED[0]) is not None)


@cache
def _engine(name: str) -> Engine:
    if name == "pure":
        from aggregate.engine.pure.engine import PureEngine  # noqa: PLC0415 (a server with the native engine never loads the pure one)

        return cast(Engine, PureEngine())  # each engine takes its own states only, which the interface does not say
    missing = [module for module in _COMPILED if find_spec(module) is None]
    if missing:
        why = f"the native engine is asked for, but {' and '.join(missing)} is not built; install a wheel or build it, or choose `pure`"
        raise ConfigError([Mistake(VARIABLE, why)])
    engine: Engine = import_module(_COMPILED[0]).NativeEngine()
    return engine
