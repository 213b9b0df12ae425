"""Programs, compiled once and run with a limit. The names are loaded when they are first used: to run a program takes no manifest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aggregate.engine.interface import CommitFold, Decision, Engine, Fold, State
    from aggregate.runtime.executor import RuntimeExecutor
    from aggregate.runtime.outcomes import failed, rejected
    from aggregate.runtime.pair import PairProgram
    from aggregate.runtime.programs import ProgramSet, TypeProgram

_HOME = {
    "CommitFold": "engine.interface",
    "Decision": "engine.interface",
    "Engine": "engine.interface",
    "Fold": "engine.interface",
    "PairProgram": "runtime.pair",
    "ProgramSet": "runtime.programs",
    "RuntimeExecutor": "runtime.executor",
    "State": "engine.interface",
    "TypeProgram": "runtime.programs",
    "failed": "runtime.outcomes",
    "rejected": "runtime.outcomes",
}

__all__ = [
    "CommitFold",
    "Decision",
    "Engine",
    "Fold",
    "PairProgram",
    "ProgramSet",
    "RuntimeExecutor",
    "State",
    "TypeProgram",
    "failed",
    "rejected",
]


def __getattr__(name: str) -> Any:
    """The name, out of the file it lives in."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"aggregate.{_HOME[name]}"), name)
