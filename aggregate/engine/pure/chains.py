"""Expressions with a left operand: fields, indexes, slices, `and`, `or`, binary operators.

Quick paths here only repeat what `operators.py` and `access.py` say for the commonest operands.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from aggregate.engine.pure import access, operators
from aggregate.engine.pure.expressions import compile_expression, constant, enter_unit, link
from aggregate.engine.pure.failure import At, Failure, out_of_gas
from aggregate.engine.pure.gas import Call, read
from aggregate.engine.pure.number import I64_MAX, I64_MIN
from aggregate.engine.pure.operators import Binary
from aggregate.engine.pure.scope import BadIR, Node, Run, Scope, text
from aggregate.engine.pure.value import Value, shown

PRODUCT: Final = 2**56
"""Integers below have a product inside of the domain."""
PLAIN: Final[dict[str, tuple[Callable[[int, int], Any], int, int]]] = {
    "+": (operator.add, I64_MIN, I64_MAX),
    "-": (operator.sub, I64_MIN, I64_MAX),
    "*": (operator.mul, -PRODUCT, PRODUCT),
    "<": (operator.lt, I64_MIN, I64_MAX),
    "<=": (operator.le, I64_MIN, I64_MAX),
    ">": (operator.gt, I64_MIN, I64_MAX),
    ">=": (operator.ge, I64_MIN, I64_MAX),
}
"""What Python's own integers do as the language does, between these bounds."""
NULL_RESULTS: Final[dict[str, Value]] = {
    **dict.fromkeys(("+", "-", "*", "/", "//", "%", "|")),
    **dict.fromkeys(("<", "<=", ">", ">="), False),
}
"""What a filter makes of an operator with null on a side."""


@link("field")
def _field(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    _, line, column, _, name = node
    at, null_safe = scope.at(line, column), scope.null_safe
    text(name)

    def slow(value: Value) -> Value:
        if value is None and null_safe:
            return None
        try:
            return access.field(value, name, at)
        except KeyError:
            if null_safe:
                return None
            raise Failure("key.missing", at, key=shown(name)) from None

    if left_node is not None and left_node[0] == "local" and left_node[3] < scope.bound:
        slot = left_node[3]

        def run_local(call: Call, slots: list[Any]) -> Value:
            try:
                return slots[slot][name]
            except (KeyError, TypeError):
                return slow(slots[slot])

        return run_local

    def run(call: Call, slots: list[Any]) -> Value:
        value = left(call, slots)
        try:
            return value[name]
        except (KeyError, TypeError):
            return slow(value)

    return run


@link("index")
def _index(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    _, line, column, _, key_node = node
    at, null_safe, key_run = scope.at(line, column), scope.null_safe, compile_expression(key_node, scope)

    def run(call: Call, slots: list[Any]) -> Value:
        value, key = left(call, slots), key_run(call, slots)
        if value is None and null_safe:
            return None
        try:
            return access.index(call, value, key, at)
        except KeyError:
            if null_safe:
                return None
            raise Failure("key.missing", at, key=shown(key)) from None

    return run


@link("slice")
def _slice(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    _, line, column, _, start_node, stop_node = node
    at, null_safe = scope.at(line, column), scope.null_safe
    ends = tuple(constant(...) if end is None else compile_expression(end, scope) for end in (start_node, stop_node))

    def run(call: Call, slots: list[Any]) -> Value:
        value = left(call, slots)
        bounds = tuple([end(call, slots) for end in ends])
        return None if value is None and null_safe else access.cut(call, value, bounds, at)

    return run


@link("and")
def _and(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    right, weight, at = _right_side(node, scope)

    def run(call: Call, slots: list[Any]) -> Value:
        value = left(call, slots)
        if not value:
            return value
        enter_unit(call, weight, at)
        return right(call, slots)

    return run


@link("or")
def _or(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    right, weight, at = _right_side(node, scope)

    def run(call: Call, slots: list[Any]) -> Value:
        value = left(call, slots)
        if value:
            return value
        enter_unit(call, weight, at)
        return right(call, slots)

    return run


@link("bin", left=4)
def _binary(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    _, line, column, op, _, right_node = node
    if op not in operators.BINARY:
        raise BadIR(f"unknown operator {op!r:.80}")
    at, right = scope.at(line, column), compile_expression(right_node, scope)
    if scope.null_safe:
        return _null_safe(op, left, right, at)
    if op in ("==", "!="):
        return _equality(op == "!=", left, right, right_node, at)
    return binary(op, left, right, at)


def _right_side(node: Node, scope: Scope) -> tuple[Run, int, At]:
    _, line, column, _, unit, right = node
    scope.at(line, column)
    return compile_expression(right, scope), *scope.unit(unit)


def binary(op: str, left: Run, right: Run, at: At) -> Run:
    full: Binary = operators.BINARY[op]
    if op not in PLAIN:
        return lambda call, slots: full(call, left(call, slots), right(call, slots), at)
    plain, low, high = PLAIN[op]

    def run(call: Call, slots: list[Any]) -> Value:
        a, b = left(call, slots), right(call, slots)
        if type(a) is int and type(b) is int and low <= a <= high and low <= b <= high:
            return plain(a, b)
        return full(call, a, b, at)

    return run


def _equality(negated: bool, left: Run, right: Run, right_node: Node, at: At) -> Run:
    full: Binary = operators.BINARY["!=" if negated else "=="]
    if right_node[0] != "str":
        return lambda call, slots: full(call, left(call, slots), right(call, slots), at)
    literal, cost = right_node[3], read(right_node[3])

    def run(call: Call, slots: list[Any]) -> Value:
        a = left(call, slots)
        call.left -= cost + (len(a) >> 4) if type(a) is str else cost
        if call.left < 0:
            raise out_of_gas(at, call.limit)
        return (a == literal) is not negated

    return run


def _null_safe(op: str, left: Run, right: Run, at: At) -> Run:
    full: Binary = operators.BINARY[op]

    def run(call: Call, slots: list[Any]) -> Value:
        a, b = left(call, slots), right(call, slots)
        if op in NULL_RESULTS:
            if a is None or b is None:
                return NULL_RESULTS[op]
        elif b is None and op in ("in", "not in"):
            return op == "not in"
        return full(call, a, b, at)

    return run
