"""Short ways to run a source through the whole of the language: compiler, engine, outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aggregate import engine
from aggregate.runtime.batch import run_line

ENGINES = [name for name in ("pure", "native") if engine.available(name)]


@dataclass(frozen=True)
class Run:
    """A case of the batch door. `args` are JSON texts."""

    source: str
    kind: str = "program"
    call: str = "apply"
    args: dict[str, str] = field(default_factory=dict)
    gas: int | None = None

    def outcome(self, name: str = "pure") -> dict[str, Any]:
        members = [f'"{key}":{value}' for key, value in self.args.items()]
        head = f'{{"id":1,"kind":"{self.kind}","source":{json.dumps(self.source)},"call":"{self.call}","args":{{{",".join(members)}}}'
        gas = "" if self.gas is None else f',"gas":{self.gas}'
        outcome: dict[str, Any] = json.loads(run_line((head + gas + "}").encode(), engine.get(name)))
        return outcome


def program(source: str, gas: int | None = None, call: str = "apply", **args: str) -> Run:
    """A whole program; `apply` on state null and the event `{"type": "e"}` unless said otherwise."""
    given = {"state": "null", "event": '{"type":"e"}', "command": '{"type":"c"}', "events": '[{"type":"e"}]', **args}
    wanted = {"apply": ("state", "event"), "decide": ("state", "command"), "execute": ("state", "command"), "fold": ("state", "events")}
    return Run(source, "program", call, {name: given[name] for name in (*wanted[call], *args)}, gas)


def body(text: str, state: str = "null", gas: int | None = None, above: str = "") -> Run:
    """The body of `apply(s, e)`; its first line is line 2 (below `above`), its first column 5."""
    lines = "".join(f"    {line}\n" if line else "\n" for line in text.split("\n"))
    return program(f"{above}def apply(s, e):\n{lines}", gas, state=state)


def expression(text: str, state: str = "null", gas: int | None = None, **args: str) -> Run:
    return Run(text, "expression", "eval", {"state": state, **args}, gas)


def filter_(text: str, state: str = "{}", gas: int | None = None, **args: str) -> Run:
    return Run(text, "filter", "eval", {"state": state, **args}, gas)


def ok(value: Any) -> dict[str, Any]:
    return {"ok": value}


def error(code: str, line: int | None = -1, column: int | None = -1, **members: Any) -> dict[str, Any]:
    """An error record's members that matter; `code` as `kind/code`."""
    kind, _, name = code.partition("/")
    place = {"line": line, "column": column} if line != -1 else {}
    return {"error": {"kind": kind, "code": name, **place, **members}}


def spent(gas: int) -> dict[str, Any]:
    """What was charged."""
    return {"gas": gas}


def matches(outcome: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether the outcome has all that is wanted."""
    for name, value in wanted.items():
        found = outcome.get(name)
        if name == "error" and isinstance(found, dict):
            if any(found.get(part, "absent") != expected for part, expected in value.items()):
                return False
        elif found != value or type(found) is not type(value):
            return False
    return True
