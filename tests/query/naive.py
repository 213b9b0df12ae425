"""Queries as anybody would write them down: over Python values, without index, engine or bytes. What the real ones are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from aggregate.query.interface import Order
from aggregate.types import AggregateKey
from aggregate.types.json import canonical

Value = Any
States = Mapping[AggregateKey, tuple[int, Value]]


class Failed(Exception):
    """The filter fails on this row."""


@dataclass(frozen=True)
class Row:
    """What a predicate looks at."""

    key: AggregateKey
    version: int
    state: Value


@dataclass(frozen=True)
class Test:
    """A filter: as text, and as a function of a row that gives what the text gives, or fails."""

    __test__ = False

    text: str
    of: Callable[[Row], Value]


def at(path: str) -> Test:
    """A path, as an operand."""

    def of(row: Row) -> Value:
        value = row.state if isinstance(row.state, dict) else None
        for number, step in enumerate(path.split(".")):
            if value is None:
                return None
            if not isinstance(value, dict):
                raise Failed
            value = value.get(step) if number or isinstance(row.state, dict) else None
        return value

    return Test(path, of)


def literal(value: Value) -> Test:
    """A literal, as an operand: any JSON text is one."""
    return Test(canonical(value).decode(), lambda _: value)


def compare(left: Test, op: str, right: Test) -> Test:
    """`left op right`."""

    def of(row: Row) -> Value:
        a, b = left.of(row), right.of(row)
        if op in {"==", "!="}:
            return same(a, b) == (op == "==")
        if a is None or b is None:
            return False
        if not (is_number(a) and is_number(b)) and not (isinstance(a, str) and isinstance(b, str)):
            raise Failed
        return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]

    return Test(f"{left.text} {op} {right.text}", of)


def member(left: Test, values: list[Value]) -> Test:
    """`left in [...]`."""

    def of(row: Row) -> Value:
        value = left.of(row)
        return any(same(value, each) for each in values)

    return Test(f"{left.text} in {canonical(values).decode()}", of)


def starts(left: Test, prefix: str) -> Test:
    """`left.startswith(prefix)`."""

    def of(row: Row) -> Value:
        value = left.of(row)
        if value is None:
            return None
        if not isinstance(value, str):
            raise Failed
        return value.startswith(prefix)

    return Test(f"{left.text}.startswith({canonical(prefix).decode()})", of)


def inverse(test: Test) -> Test:
    """`not test`."""
    return Test(f"not ({test.text})", lambda row: not test.of(row))


def joined(op: str, left: Test, right: Test) -> Test:
    """`left and right`, `left or right`."""
    if op == "and":
        return Test(f"({left.text}) and ({right.text})", lambda row: left.of(row) and right.of(row))
    return Test(f"({left.text}) or ({right.text})", lambda row: left.of(row) or right.of(row))


def matching(states: States, test: Test | None, kind: str | None = None) -> list[Row]:
    """The rows on which a filter gives true."""
    rows = [Row(key, version, state) for key, (version, state) in states.items() if kind in {None, key.aggregate_type}]
    return [row for row in rows if test is None or holds(test, row)]


def holds(test: Test, row: Row) -> bool:
    """Whether a row matches."""
    try:
        return test.of(row) is True
    except Failed:
        return False


def ordered(rows: list[Row], order: tuple[Order, ...]) -> list[Row]:
    """The rows in the order of an answer."""

    def compare_rows(a: Row, b: Row) -> int:
        return comes_first(a, b, order)

    return sorted(rows, key=cmp_to_key(compare_rows))


def comes_first(a: Row, b: Row, order: tuple[Order, ...]) -> int:
    """Negative, 0 or positive, as `a` comes before `b`, is it, or comes behind."""
    descending = False
    for key in order:
        x, y = rank(lenient(a.state, key.path)), rank(lenient(b.state, key.path))
        descending = key.descending
        if x != y:
            return -1 if (x < y) != descending else 1
    ends = [(row.key.aggregate_type, row.key.aggregate_id) for row in (a, b)]
    return 0 if ends[0] == ends[1] else -1 if (ends[0] < ends[1]) != descending else 1


def lenient(value: Value, path: str) -> Value:
    """The value at a path, None where it leads nowhere."""
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def rank(value: Value) -> tuple[int, Any]:
    """What sorts as the documented order of values does."""
    if value is None:
        return 0, 0
    if isinstance(value, bool):
        return 1, value
    if is_number(value):
        return 2, Decimal(value)
    if isinstance(value, str):
        return 3, [ord(character) for character in value]
    return 4 if isinstance(value, list) else 5, canonical(value)


def is_number(value: Value) -> bool:
    """Whether it is a number (True is none)."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def same(a: Value, b: Value) -> bool:
    """`==` of the language."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if is_number(a) and is_number(b):
        return bool(a == b)
    return type(a) is type(b) and bool(a == b)
