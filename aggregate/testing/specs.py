"""Given, when, then: specs of a program, as Python or read from YAML (`spec_files.py`).

    bank = Suite.of("manifest.yaml")
    bank.case("pays out").given(OPENED).when({"type": "withdraw", "amount": 5}).then({"type": "withdrawn", "amount": 5})
    bank.case("keeps its money").given(OPENED).when({"type": "withdraw", "amount": 500}).then_rejected("insufficient_funds")

A case is run by `case.run()`, which gives a `Result`, or by `case.check()`, which raises `AssertionError` with a readable difference.
Values are Python values; a fraction is a `Decimal`, a float enters by its `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from aggregate.config import AggregateManifest
from aggregate.engine.interface import Decision, Engine, State
from aggregate.errors import ErrorRecord
from aggregate.runtime import RuntimeExecutor, TypeProgram
from aggregate.testing.differences import difference, pretty
from aggregate.types import AggregateType
from aggregate.types.json import canonical, parse

_CTX: Final = {
    "tenant_id": "",
    "aggregate_id": "00000000-0000-7000-8000-000000000001",
    "command_id": "00000000-0000-7000-8000-000000000002",
    "time": "2026-01-01T00:00:00.000Z",
    "metadata": {},
}
"""What a program's `ctx` holds where a case says nothing; `version` is the number of given events, `aggregate_type` the suite's."""
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a case.

    Attributes:
        name: the case's.
        gas: of its command, `decide` and every `apply` together.
        problems: what differs from the case, each over several lines; empty when it holds.
    """

    name: str
    gas: int
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the case holds."""
        return not self.problems


@dataclass(slots=True)
class Suite:
    """Cases of one program.

    Attributes:
        program: what runs.
        cases: in the order in which they were made.
    """

    program: TypeProgram
    cases: list[Case] = field(default_factory=list)

    @classmethod
    def of(cls, manifest: str | Path | AggregateManifest, aggregate_type: str | None = None, engine: Engine | None = None) -> Self:
        """A suite for a type of a manifest (None: for the only one), on the configured engine or the given one.

        Raises:
            ConfigError: the manifest or its programs have mistakes.
            ValidationError: no such type.
        """
        loaded = manifest if isinstance(manifest, AggregateManifest) else AggregateManifest.load(manifest)
        programs = RuntimeExecutor(engine).load(loaded)
        return cls(programs.only() if aggregate_type is None else programs.get(AggregateType(aggregate_type)))

    def case(self, name: str) -> Case:
        """A new case; what is expected of it is said by its methods."""
        made = Case(self.program, name)
        self.cases.append(made)
        return made

    def run(self) -> list[Result]:
        """Run all cases."""
        return [case.run() for case in self.cases]


class Case:
    """One case: what has happened, a command, and what must come of it. Its methods give the case itself."""

    def __init__(self, program: TypeProgram, name: str) -> None:
        """A case that expects nothing yet."""
        self.name = name
        self._program = program
        self._given: list[Any] = []
        self._state: Any = _NOTHING
        self._command: Any = _NOTHING
        self._ctx: dict[str, Any] = {}
        self._expected: dict[str, Any] = {}

    def __repr__(self) -> str:
        return self.name

    def given(self, *events: Any) -> Self:
        """Events that have happened, in order."""
        self._given += events
        return self

    def given_state(self, state: Any) -> Self:
        """The state before the given events; else the manifest's `initial`."""
        self._state = state
        return self

    def when(self, command: Any, **ctx: Any) -> Self:
        """The command to decide, and members of `ctx`. A case without one is about the given events alone."""
        self._command = command
        self._ctx.update(ctx)
        return self

    def then(self, *events: Any) -> Self:
        """Exactly these events come of the command; none: it is accepted and nothing happens."""
        return self._expect(events=list(events))

    def then_rejected(self, code: str, message: str | None = None, details: Any = _NOTHING) -> Self:
        """The program says no, with this code; message and details are compared where given."""
        rejected = {"code": code, **({} if message is None else {"message": message})}
        return self._expect(rejected=rejected if details is _NOTHING else {**rejected, "details": details})

    def then_error(self, code: str, **members: Any) -> Self:
        """The program fails with `kind/code`, like `runtime/key`; members of the record are compared where given."""
        kind, _, name = code.partition("/")
        return self._expect(error={"kind": kind, "code": name, **members})

    def then_state(self, state: Any) -> Self:
        """The state after it all."""
        return self._expect(state=state)

    def costs(self, gas: int) -> Self:
        """The gas of the command, or, without one, of the given events."""
        return self._expect(gas=gas)

    def run(self) -> Result:
        """Run the case."""
        state, gas, failure = self._before()
        if failure is not None:
            if self._command is _NOTHING:
                return Result(self.name, gas, tuple(self._compare({"error": failure, "gas": gas})))
            return Result(self.name, gas, (f"the given events cannot be applied: {failure['message']}",))
        if self._command is _NOTHING:
            return Result(self.name, gas, tuple(self._compare({"state": _value(state), "gas": gas})))
        decision = self._program.execute(state, canonical(self._command), canonical(self._context()))
        return Result(self.name, decision.gas, tuple(self._compare(_outcome(decision))))

    def check(self) -> None:
        """Run the case.

        Raises:
            AssertionError: it does not hold; the message shows the difference.
        """
        result = self.run()
        if result.problems:
            raise AssertionError("\n".join((self.name, *result.problems)))

    def _expect(self, **expected: Any) -> Self:
        self._expected.update(expected)
        return self

    def _context(self) -> dict[str, Any]:
        return {**_CTX, "aggregate_type": str(self._program.type), "version": len(self._given), **self._ctx}

    def _before(self) -> tuple[State, int, dict[str, Any] | None]:
        """State after the given events, their gas, and the error of the one that fails."""
        program = self._program
        state = program.initial_state if self._state is _NOTHING else program.state(canonical(self._state))
        gas = 0
        for version, event in enumerate(self._given, 1):
            meta = {"version": version, "time": _CTX["time"], "command_id": _CTX["command_id"], "event_id": _event_id(version)}
            fold = program.fold(state, [canonical(event)], canonical(meta))
            gas += fold.gas
            if fold.error is not None:
                return state, gas, _record(fold.error)
            state = fold.state
        return state, gas, None

    def _compare(self, actual: dict[str, Any]) -> list[str]:
        problems = []
        for part, expected in self._expected.items():
            if part not in actual:
                happened = next(name for name in ("events", "rejected", "error", "state") if name in actual)
                problems.append(f"expected {part}:\n{pretty(expected)}\nbut came {happened}:\n{pretty(actual[happened])}")
                continue
            found = actual[part]
            if part in {"rejected", "error"}:
                found = {name: found.get(name) for name in expected}
            text = difference(expected, found)
            if text:
                problems.append(f"{part} differ (- expected, + came):\n{text}")
        return problems


def _outcome(decision: Decision) -> dict[str, Any]:
    if decision.error is not None:
        return {"error": _record(decision.error), "gas": decision.gas}
    if decision.rejection is not None:
        return {"rejected": parse(decision.rejection), "gas": decision.gas}
    assert decision.state is not None
    return {"events": [parse(event) for event in decision.events], "state": _value(decision.state), "gas": decision.gas}


def _value(state: State) -> Any:
    return parse(state.json())


def _record(error: bytes) -> dict[str, Any]:
    record = ErrorRecord.from_json(error)
    return {name: getattr(record, name) for name in ErrorRecord.__slots__}


def _event_id(version: int) -> str:
    return f"00000000-0000-7000-8001-{version:012x}"
