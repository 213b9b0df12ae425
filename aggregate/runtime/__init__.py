"""Programs, compiled once and run with a limit."""

from aggregate.engine.interface import CommitFold, Decision, Engine, Fold, State
from aggregate.runtime.executor import RuntimeExecutor
from aggregate.runtime.outcomes import failed, rejected
from aggregate.runtime.pair import PairProgram
from aggregate.runtime.programs import ProgramSet, TypeProgram

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
