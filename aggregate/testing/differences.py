"""JSON values side by side, for people: indented, with `-` before what was expected and `+` before what came."""

from __future__ import annotations

import difflib
import json
from typing import Any

from aggregate.types.json import canonical, parse


def pretty(value: Any) -> str:
    """Canonical JSON over several lines; short lists and maps stay on one."""
    lines: list[str] = []
    _write(parse(canonical(value)), 0, "", lines)
    return "\n".join(lines)


def difference(expected: Any, actual: Any) -> str:
    """The lines in which two values differ, with what is around them; empty when they are equal."""
    if canonical(expected) == canonical(actual):
        return ""
    lines = difflib.ndiff(pretty(expected).split("\n"), pretty(actual).split("\n"))
    return "\n".join(line for line in lines if not line.startswith("?"))


def _write(value: Any, indent: int, name: str, lines: list[str]) -> None:
    space = "  " * indent + name
    short = canonical(value).decode()
    if not isinstance(value, dict | list) or len(short) + len(space) <= 60:
        lines.append(space + short)
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines.append(space + opening)
    parts = value.items() if isinstance(value, dict) else [(None, item) for item in value]
    for key, item in parts:
        _write(item, indent + 1, "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: ", lines)
    lines.append("  " * indent + closing)
