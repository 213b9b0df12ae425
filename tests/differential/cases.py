"""A case: a source, a call and its arguments; and its whole outcome on one engine, as bytes that can be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from aggregate.engine import Engine, FoldExpectation
from aggregate.errors import DocumentError

from . import documents, programs
from .choices import Choices

PLENTY = 200_000
CALLS = ("apply", "decide", "fold", "execute", "fold_commits")
TENANT, TYPE, ID = "t1", "Thing", "0190a000-0000-7000-8000-000000000001"
TIME = "2026-01-02T03:04:05.678Z"
CTX = {
    "tenant_id": TENANT,
    "aggregate_type": TYPE,
    "aggregate_id": ID,
    "version": 4,
    "command_id": "0190a000-0000-7000-8000-000000000002",
    "time": TIME,
    "metadata": {"by": "ann"},
}


@dataclass(frozen=True)
class Case:
    """`rows` are the states of `matches`, the events of `fold`, the messages of `fold_commits`; documents are JSON text."""

    kind: str
    source: str
    call: str
    state: str
    document: str = ""
    extra: str | None = None
    rows: list[str] = field(default_factory=list)
    gas: int = PLENTY
    apply_gas: int = PLENTY

    def with_gas(self, gas: int) -> Case:
        return replace(self, gas=gas, apply_gas=gas if self.call == "execute" and self.apply_gas != PLENTY else self.apply_gas)

    def dump(self) -> str:
        return json.dumps(self.__dict__, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def parse(cls, text: str) -> Case:
        return cls(**json.loads(text))


def case(c: Choices, inputs: Choices | None = None) -> Case:
    """A case: its source is made from the choices `c`, its call and documents from `inputs` (None: from what is left of `c`)."""
    kind = c.pick(("program",) * 6 + ("filter", "expression", "expression"))
    source = {"program": programs.program, "filter": programs.filter_source, "expression": programs.expression_source}[kind](c)
    return _called(kind, source, inputs or c)


def _called(kind: str, source: str, c: Choices) -> Case:
    gas = _gas(c)
    if kind != "program":
        if kind == "filter" and c.chance(2):
            rows = [documents.text(c, documents.state(c)) for _ in range(1 + c.below(4))]
            return Case(kind, source, "matches", "null", rows=rows, gas=gas, apply_gas=_gas(c))
        return Case(kind, source, "evaluate", documents.text(c, documents.state(c)), gas=gas)
    call = c.pick(CALLS)
    state = documents.text(c, documents.state(c))
    extra = c.pick((None, "null", "[]", '{"time":"noon"}', '{"version":1,"time":5')) if c.chance(8) else json.dumps(CTX)
    if call in ("fold", "fold_commits"):
        rows = [documents.text(c, documents.typed(c)) for _ in range(c.below(6))]
        if call == "fold_commits":
            rows = _messages(c, rows)
        return Case(kind, source, call, state, extra=extra, rows=rows, gas=gas)
    return Case(kind, source, call, state, documents.text(c, documents.typed(c)), extra, gas=gas, apply_gas=_gas(c))


def _gas(c: Choices) -> int:
    return PLENTY if c.below(4) else c.below(256) * (1 + c.below(4))


def _messages(c: Choices, events: list[str]) -> list[str]:
    """The events in commit messages, seldom with something wrong."""
    messages, version = [], 7
    while events:
        commits = []
        for _ in range(1 + c.below(2)):
            taken, events = events[: 1 + c.below(2)], events[1 + c.below(2) :]
            payloads = ",".join(f'{{"event_id":"e{version}{i}","payload":{event}}}' for i, event in enumerate(taken))
            first = version + 1 + c.chance(25)
            refused = ',"refused":{"kind":"rejected"}' if c.chance(8) else ""
            commits.append(f'{{"command_id":"c{version}","first_version":{first},"time":"{TIME}","events":[{payloads}]{refused}}}')
            version += len(taken)
        tenant = "t2" if c.chance(40) else TENANT
        head = f'"v":1,"tenant_id":"{tenant}","aggregate_type":"{TYPE}","aggregate_id":"{ID}","program":"x","generation":{c.below(4)}'
        messages.append(documents.damaged(c, f'{{{head},"commits":[{",".join(commits)}]}}', 12))
    return messages


def outcome(engine: Engine, ir: bytes, case: Case) -> dict[str, Any]:
    """Everything that a caller can see of the call. A bad state document is an outcome too."""
    try:
        return _outcome(engine, ir, case)
    except DocumentError as error:
        return {"gas": 0, "error": error.record}


def _outcome(engine: Engine, ir: bytes, case: Case) -> dict[str, Any]:
    program = engine.load(ir)
    raw, extra = case.state.encode(), None if case.extra is None else case.extra.encode()
    rows = [row.encode() for row in case.rows]
    if case.call == "evaluate":
        return _evaluation(program.evaluate(raw, None, case.gas))
    if case.call == "matches":
        result = program.matches([engine.state(row) if i % 2 else row for i, row in enumerate(rows)], None, case.gas, case.apply_gas)
        return {"rows": result.rows, "errors": result.errors, "first": result.first_error, "gas": result.gas, "error": result.error}
    if case.call == "apply":
        return _evaluation(program.apply(raw, case.document.encode(), extra, case.gas))
    if case.call == "decide":
        return _evaluation(program.decide(raw, case.document.encode(), extra, case.gas))
    state = engine.state(raw)
    if case.call == "execute":
        made = program.execute(state, case.document.encode(), extra, case.gas, case.apply_gas)
        after = made.state
        return {
            "events": made.events,
            "types": made.types,
            "state": None if after is None else after.json(),
            "hash": None if after is None else after.hash(),
            "gas": made.gas,
            "rejection": made.rejection,
            "error": made.error,
            "phase": made.phase,
        }
    if case.call == "fold":
        folded = program.fold(state, rows, case.gas, extra)
        return {"state": folded.state.json(), "count": folded.count, "gas": folded.gas, "error": folded.error}
    told = program.fold_commits(state, rows, FoldExpectation(TENANT, TYPE, ID, 7, case.gas))
    return {
        "state": told.state.json(),
        "count": told.count,
        "gas": told.gas,
        "error": told.error,
        "version": told.version,
        "time": told.time,
        "generation": told.generation,
        "commits": told.commits,
    }


def _evaluation(result: Any) -> dict[str, Any]:
    return {"value": result.value, "gas": result.gas, "rejection": result.rejection, "error": result.error}
