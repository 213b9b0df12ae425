"""Sources in, outcomes out: what the engine tests are written with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from aggregate import language
from aggregate.engine import Engine, Evaluation, Program

PLENTY = 10_000_000
Place = tuple[int, int]


@cache
def ir(source: str, kind: str = "program") -> bytes:
    return language.compile(source, kind)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave: exactly one of `value` (canonical JSON text), `rejected` and `error` (as Python objects) is not None."""

    gas: int
    value: str | None = None
    rejected: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    @classmethod
    def of(cls, result: Evaluation) -> Outcome:
        return cls(
            result.gas,
            None if result.value is None else result.value.decode(),
            None if result.rejection is None else json.loads(result.rejection),
            None if result.error is None else json.loads(result.error),
        )

    @property
    def code(self) -> str:
        assert self.error is not None, self
        return f"{self.error['kind']}/{self.error['code']}"

    @property
    def place(self) -> Place | None:
        assert self.error is not None, self
        return None if self.error["line"] is None else (self.error["line"], self.error["column"])


def document(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()


class Programs:
    """Runs sources on one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def load(self, source: str, kind: str = "program") -> Program:
        return self.engine.load(ir(source, kind))

    def expression(self, source: str, state: Any = None, gas: int = PLENTY, meta: Any = None) -> Outcome:
        return self._evaluate("expression", source, state, gas, meta)

    def filter(self, source: str, state: Any = None, gas: int = PLENTY, meta: Any = None) -> Outcome:
        return self._evaluate("filter", source, state, gas, meta)

    def _evaluate(self, kind: str, source: str, state: Any, gas: int, meta: Any) -> Outcome:
        raw = None if meta is None else document(meta)
        return Outcome.of(self.load(source, kind).evaluate(document(state), raw, gas))

    def body(self, body: str, state: Any = None, gas: int = PLENTY, event: Any = None) -> Outcome:
        """The value that statements (`return` it) give as the body of `apply(state, event)`."""
        lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
        return self.apply(f"def apply(state, event):\n{lines}\n", state, event, gas)

    def apply(self, source: str, state: Any = None, event: Any = None, gas: int = PLENTY, meta: Any = None) -> Outcome:
        made = {"type": "e"} if event is None else event
        raw = None if meta is None else document(meta)
        return Outcome.of(self.load(source).apply(document(state), document(made), raw, gas))

    def decide(self, source: str, state: Any = None, command: Any = None, gas: int = PLENTY, ctx: Any = None) -> Outcome:
        order = {"type": "c"} if command is None else command
        raw = None if ctx is None else document(ctx)
        return Outcome.of(self.load(source).decide(document(state), document(order), raw, gas))

    def value(self, source: str, state: Any = None) -> str:
        """The canonical text of an expression that must succeed."""
        outcome = self.body(f"return {source}", state)
        assert outcome.value is not None, outcome
        return outcome.value

    def error(self, source: str, state: Any = None) -> str:
        """kind/code of an expression that must fail."""
        return self.body(f"return {source}", state).code

    def dynamic_gas(self, source: str, state: Any = None) -> int:
        """Gas of `x = SOURCE` beyond the weights of its units; SOURCE has no nested units. It may fail: what was charged stays."""
        program = f"def apply(state, event):\n    x = {source}\n"
        outcome = self.apply(program, state)
        body = json.loads(ir(program))["functions"][0]["body"]
        return outcome.gas - body[0][3]
