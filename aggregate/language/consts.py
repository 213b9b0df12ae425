"""Consts have their values before a program is ever loaded: a const that fails is a mistake of the source."""

from __future__ import annotations

from aggregate.engine.pure.failure import Failure
from aggregate.engine.pure.load import CONST_GAS, Consts
from aggregate.language.ir import Node
from aggregate.language.mistakes import Mistakes


class Evaluation:
    """Evaluates the consts of one source in order, with one gas counter, until something is wrong with one of them."""

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._consts: Consts | None = Consts()

    def add(self, unit: Node, expression: Node) -> None:
        """Evaluate the next const, if it and all before it are sound."""
        if self._mistakes:
            self._consts = None
        if self._consts is None:
            return
        try:
            self._consts.add(unit, expression)
        except Failure as failure:
            line, column, _ = failure.at or (1, 1, None)
            if failure.code == "out_of_gas":
                self._mistakes.add("too_big.const_gas", (line, column), limit=CONST_GAS)
            else:
                self._mistakes.add("unsupported.const_value", (line, column), message=failure.message)
