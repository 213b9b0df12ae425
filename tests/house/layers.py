"""Who may import whom: the table "Rooms" of ARCHITECTURE.md, read as it stands, and the imports of a source file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "aggregate"
BASE = ("types", "errors", "config", "_version")
"""What the table's heading lets every room import; below, what these may import of each other."""
AMONG_BASE = {"errors": set[str](), "types": {"errors"}, "config": {"types", "errors"}, "_version": set[str]()}
ENTRY = {"__init__": "all", "__main__": "cli"}
"""Files of the package itself, which the table does not list: the public names, and `python -m aggregate`."""
COMPILED = ("engine._native", "engine._keys")
"""Only `engine/` may name them: it is the only door to compiled code."""
TEST_MAKERS = "new_test"
"""A function whose name starts so may import `aggregate.testing` when it is called."""

_ROW = re.compile(r"^\| \[`aggregate/([a-z_]+)(?:/|\.py)`\]\([^)]*\) \|[^|]*\| ([^|]+) \|$", re.MULTILINE)
_PART = re.compile(r"([a-z]+)(?: \(([a-z]+)\))?")


@dataclass(frozen=True, slots=True)
class Import:
    """One import of something of ours. `maker`: it stands in a function that makes something for tests."""

    line: int
    module: str
    maker: bool


def table(markdown: str) -> dict[str, set[str]]:
    """By room what it may import beside the base: rooms, or `room.module` where the table names one module in parentheses."""
    cells = {room: cell.strip() for room, cell in _ROW.findall(markdown)}
    rooms: dict[str, set[str]] = {}
    for room, cell in cells.items():
        if cell == "all":
            rooms[room] = set(cells)
        elif cell == "all above":
            rooms[room] = set(rooms)
        elif cell == "–":
            rooms[room] = set()
        else:
            parts = [_PART.fullmatch(part) for part in cell.split(", ")]
            assert all(parts), f"{room}: not understood: {cell!r}"
            rooms[room] = {f"{part[1]}.{part[2]}" if part[2] else part[1] for part in parts if part}
        unknown = {name.split(".")[0] for name in rooms[room]} - set(cells)
        assert not unknown, f"{room} may import {unknown}, which the table does not list"
    return rooms


def violations(path: Path, package: Path, rooms: dict[str, set[str]]) -> Iterator[str]:
    """What a file imports and may not, as `file:line: words`."""
    relative = path.relative_to(package)
    room = relative.parts[0].removesuffix(".py")
    for each in imports(path, package):
        problem = _problem(room, each, rooms)
        if problem:
            yield f"{PACKAGE}/{relative}:{each.line}: {problem}"


def imports(path: Path, package: Path) -> list[Import]:
    """All imports of ours in a file, wherever they stand; a relative one is resolved."""
    found: list[Import] = []
    _collect(ast.parse(path.read_text()), [package.name, *path.relative_to(package).parts[:-1]], found, maker=False)
    return found


def _collect(node: ast.AST, parents: list[str], found: list[Import], *, maker: bool) -> None:
    for child in ast.iter_child_nodes(node):
        inside = maker
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = maker or child.name.startswith(TEST_MAKERS)
        names: list[str] = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            above = parents[: len(parents) - child.level + 1] if child.level else []
            origin = ".".join([*above, *([child.module] if child.module else [])])
            names = [f"{origin}.{alias.name}" for alias in child.names]
        found += (Import(child.lineno, name, maker) for name in names if name.split(".")[0] == PACKAGE)  # type: ignore[attr-defined]
        _collect(child, parents, found, maker=inside)


def _problem(room: str, each: Import, rooms: dict[str, set[str]]) -> str:
    """Why a room may not have this import, "" where it may."""
    target = each.module.removeprefix(PACKAGE).removeprefix(".")
    other = target.split(".")[0] if target else "__init__"
    if other == room:
        return ""
    if room != "engine" and target.startswith(COMPILED):
        return f"{each.module}: only aggregate/engine/ names compiled modules"
    if room in AMONG_BASE:
        return "" if other in AMONG_BASE[room] else f"{room} may not import {each.module}"
    if other in BASE or (other == "testing" and each.maker):
        return ""
    if room in ENTRY:
        allowed = set(rooms) if ENTRY[room] == "all" else {ENTRY[room]}
    elif room in rooms:
        allowed = rooms[room]
    else:
        return f"ARCHITECTURE.md's table has no row for {room}"
    if other in allowed or any(target == name or target.startswith(f"{name}.") for name in allowed if "." in name):
        return ""
    return f"{room} may not import {each.module} (ARCHITECTURE.md, Rooms)"
