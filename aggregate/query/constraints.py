"""What a filter demands of single paths: from its syntax, the ranges of index keys outside of which no row can match.

Only what stands in the filter's outermost `and` counts. A row matches only where every part of it holds, and a comparison holds only
between values of one type, so leaving out what is outside of a range loses no row; the filter still runs over what is inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from aggregate.engine.order import ABOVE, BELOW, CUT, STRING, value_key
from aggregate.language.tree import (
    Binary,
    Constant,
    Expression,
    Field,
    Index,
    ListDisplay,
    Logic,
    Method,
    Name,
    Number,
    String,
    Unary,
    bare,
)
from aggregate.query.stored import AFTER, INDEX_TEXT

MOST_RANGES: Final = 1000

Range = tuple[bytes, bytes]
"""Keys from the first to before the second."""

EVERYTHING: Final[tuple[Range, ...]] = ((b"", AFTER),)

_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_NUMBERS: Final = (BELOW, bytes([ABOVE[0] + 1]))
_STRINGS: Final = (STRING, bytes([STRING[0] + 1]))
_UNKNOWN: Final = object()


@dataclass(frozen=True, slots=True)
class Constraint:
    """A path and the ranges its value is in, ascending, none overlapping.

    Attributes:
        exact: the ranges are single values.
    """

    path: str
    ranges: tuple[Range, ...]
    exact: bool


def constraints(tree: Expression | None) -> dict[str, Constraint]:
    """By path, what a filter demands."""
    found: dict[str, Constraint] = {}
    for part in _conjuncts(tree):
        each = _constraint(part)
        if each is not None:
            found[each.path] = each if each.path not in found else _both(found[each.path], each)
    return found


def _conjuncts(tree: Expression | None) -> Iterator[Expression]:
    stack = [tree] if tree is not None else []
    while stack:
        node = bare(stack.pop())
        if isinstance(node, Logic) and node.op == "and":
            stack += [node.right, node.left]
        else:
            yield node


def _constraint(node: Expression) -> Constraint | None:
    if isinstance(node, Method):
        return _prefix(node)
    if not isinstance(node, Binary):
        return None
    left, right = bare(node.left), bare(node.right)
    if node.op == "in":
        return _membership(_path(left), right)
    if node.op not in _FLIPPED:
        return None
    path, value, op = _path(left), _literal(right), node.op
    if path is None:
        path, value, op = _path(right), _literal(left), _FLIPPED[op]
    if path is None or value is _UNKNOWN:
        return None
    return _comparison(path, op, value)


def _comparison(path: str, op: str, value: Any) -> Constraint | None:
    if op == "==":
        return Constraint(path, (_only(value),), exact=True)
    if isinstance(value, bool) or value is None:
        return None  # the language has no such order: the filter says what it thinks of it
    low, high = _STRINGS if isinstance(value, str) else _NUMBERS
    key = value_key(value, INDEX_TEXT)
    if isinstance(value, str) and key.endswith(CUT):  # cut: longer values stand under the same key
        edge = key[:-2]
        return Constraint(path, ((edge, high) if op in {">", ">="} else (low, edge + AFTER),), exact=False)
    ranges = {">": (key + AFTER, high), ">=": (key, high), "<": (low, key), "<=": (low, key + AFTER)}
    return Constraint(path, (ranges[op],), exact=False)


def _membership(path: str | None, right: Expression) -> Constraint | None:
    if path is None or not isinstance(right, ListDisplay) or len(right.items) > MOST_RANGES:
        return None
    values = [_literal(bare(item)) for item in right.items]
    if _UNKNOWN in values:
        return None
    return Constraint(path, tuple(sorted({_only(value) for value in values})), exact=True)


def _prefix(node: Method) -> Constraint | None:
    path = _path(bare(node.target))
    if node.name != "startswith" or path is None or len(node.args) != 1 or node.keywords:
        return None
    value = _literal(bare(node.args[0]))
    if not isinstance(value, str):
        return None
    edge = value_key(value, INDEX_TEXT)[:-2]
    return Constraint(path, ((edge, edge + AFTER),), exact=False)


def _only(value: Any) -> Range:
    key = value_key(value, INDEX_TEXT)
    return key, key + AFTER


def _both(a: Constraint, b: Constraint) -> Constraint:
    ranges = [(low, high) for x in a.ranges for y in b.ranges if (low := max(x[0], y[0])) < (high := min(x[1], y[1]))]
    return Constraint(a.path, tuple(sorted(ranges)), a.exact or b.exact)


def _path(node: Expression) -> str | None:
    """The path that an expression reads: `balance`, `owner.country`, `state.owner["country"]`; None for anything else."""
    steps: list[str] = []
    while True:
        match node:
            case Field():
                steps.append(node.name)
                node = bare(node.target)
            case Index() if isinstance(key := bare(node.key), String) and "." not in key.text:
                steps.append(key.text)
                node = bare(node.target)
            case Name(name="state"):
                break
            case Name() if node.name != "meta":
                steps.append(node.name)
                break
            case _:
                return None
    return ".".join(reversed(steps)) if steps else None


def _literal(node: Expression) -> Any:
    """The value of a literal, else `_UNKNOWN`."""
    match node:
        case Number():
            return _number(node.text)
        case String():
            return node.text
        case Constant():
            return _CONSTANTS[node.name]
        case Unary(op="-") if isinstance(operand := bare(node.operand), Number):
            return -_number(operand.text)
        case _:
            return _UNKNOWN


def _number(text: str) -> int | Decimal:
    return Decimal(text).copy_abs() if "." in text else int(text)
