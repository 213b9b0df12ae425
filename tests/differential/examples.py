"""The example programs over commands and events like those of their specs, a little changed and written in any of the ways of JSON."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from aggregate import engine as door
from aggregate import examples, language

from .cases import CTX, ID, PLENTY, TENANT, TIME, TYPE, Case
from .choices import Choices
from .documents import text, value

FOLDER = Path(examples.__file__).parent
OPENERS = {"bank": "account_opened", "inventory": "registered", "order": "order_created"}
"""What an aggregate starts with."""


@cache
def source(name: str) -> str:
    return (FOLDER / name / f"{name}.agl").read_text(encoding="utf-8")


@cache
def _compiled(name: str) -> bytes:
    return language.compile(source(name))


@cache
def templates(name: str) -> list[dict[str, Any]]:
    """Every map with a type in the example's spec: commands and events."""
    found: list[dict[str, Any]] = []
    stack: list[Any] = [yaml.safe_load((FOLDER / name / "spec.yaml").read_text(encoding="utf-8"))]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if isinstance(node.get("type"), str):
                found.append(node)
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return sorted(found, key=lambda each: json.dumps(each, default=str))


def stream(c: Choices) -> Case:
    """An example's `fold`, `fold_commits` or `execute`."""
    name = c.pick(sorted(OPENERS))
    events = [_changed(c, name) for _ in range(1 + c.below(8))]
    if c.below(8):
        events.insert(0, text(c, c.pick([each for each in templates(name) if each["type"] == OPENERS[name]])))
    call = c.pick(("fold", "fold_commits", "execute"))
    gas = PLENTY if c.below(4) else c.below(256)
    extra = json.dumps(CTX)
    if call == "execute":
        state = text(c, value(c, 3)) if c.chance(12) else _grown(name, events)
        return Case("program", source(name), call, state, _changed(c, name), extra, gas=gas, apply_gas=PLENTY)
    if call == "fold":
        return Case("program", source(name), call, "null", extra=extra, rows=events, gas=gas)
    head = f'"v":1,"tenant_id":"{TENANT}","aggregate_type":"{TYPE}","aggregate_id":"{ID}","generation":1'
    rows = []
    for index, event in enumerate(events):
        events_text = f'[{{"event_id":"e{index}","payload":{event}}}]'
        rows.append(f'{{{head},"commits":[{{"command_id":"c","first_version":{8 + index},"time":"{TIME}","events":{events_text}}}]}}')
    return Case("program", source(name), call, "null", rows=rows, gas=gas)


def _grown(name: str, events: list[str]) -> str:
    """A state as events make it: what the pure engine folds before the first one fails."""
    engine = door.get("pure")
    program, state = engine.load(_compiled(name)), engine.state(None)
    for event in events:
        folded = program.fold(state, [event.encode()], PLENTY, b"{}")
        state = folded.state
    return state.json().decode()


def _changed(c: Choices, name: str) -> str:
    made = dict(c.pick(templates(name)))
    members = sorted(set(made) - {"type"}) if c.below(40) else ["type"]
    if members and c.chance(6):
        made[c.pick(members)] = value(c, 2)
    if members and c.chance(8):
        del made[c.pick(members)]
    if c.chance(6):
        made["extra"] = value(c, 3)
    return text(c, made)
