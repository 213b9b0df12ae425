"""The operators, in the order section 7 asks for: types, charge by the operands, errors of values, charge for what is made, limits, do.

Every function here is the whole operation; the closures of `expressions.py` only keep quick paths for the commonest operands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from aggregate.engine.pure import number
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import WIDE, Call, lookup, made_list, made_string, read, wide
from aggregate.engine.pure.number import OutOfDomain
from aggregate.engine.pure.value import (
    CONTAINERS,
    LISTS,
    MAX_LIST,
    MAX_MAP,
    MAX_STRING,
    NUMBERS,
    Value,
    new_list,
    new_map,
    type_name,
)
from aggregate.engine.pure.walk import pair, scalars_equal

Binary: TypeAlias = Callable[[Call, Value, Value, At], Value]


def _wrong(op: str, a: Value, b: Value, at: At) -> Failure:
    return Failure("type.binary", at, op=op, left=type_name(a), right=type_name(b))


def _arithmetic(op: str, compute: Callable[..., Value]) -> Binary:
    def run(call: Call, a: Value, b: Value, at: At) -> Value:
        if type(a) not in NUMBERS or type(b) not in NUMBERS:
            raise _wrong(op, a, b, at)
        call.charge(wide(a, b), at)
        try:
            return compute(a, b)
        except OutOfDomain:
            raise Failure("overflow.operator", at, op=op) from None

    return run


def _dividing(op: str, compute: Callable[..., Value]) -> Binary:
    def run(call: Call, a: Value, b: Value, at: At) -> Value:
        if type(a) not in NUMBERS or type(b) not in NUMBERS:
            raise _wrong(op, a, b, at)
        call.charge(WIDE if op == "/" else wide(a, b), at)
        if b == 0:
            raise Failure("div_zero.operator", at, op=op)
        try:
            return compute(a, b)
        except OutOfDomain:
            raise Failure("overflow.operator", at, op=op) from None

    return run


_add_numbers = _arithmetic("+", number.add)
_multiply_numbers = _arithmetic("*", number.multiply)


def add(call: Call, a: Value, b: Value, at: At) -> Value:
    if type(a) is str and type(b) is str:
        call.charge(read(a) + read(b), at)
        length = len(a) + len(b)
        call.charge(made_string(length), at)
        if length > MAX_STRING:
            raise Failure("limit.string", at)
        return a + b
    if type(a) in LISTS and type(b) in LISTS:
        length = len(a) + len(b)
        call.charge(made_list(length), at)
        if length > MAX_LIST:
            raise Failure("limit.list", at)
        return new_list([*a, *b], call.epoch)
    return _add_numbers(call, a, b, at)


def multiply(call: Call, a: Value, b: Value, at: At) -> Value:
    if type(a) is str and type(b) is int:
        call.charge(read(a), at)
        length = len(a) * max(b, 0)
        call.charge(made_string(length), at)
        if length > MAX_STRING:
            raise Failure("limit.string", at)
        return a * b if length else ""
    if type(a) in LISTS and type(b) is int:
        length = len(a) * max(b, 0)
        call.charge(made_list(length), at)
        if length > MAX_LIST:
            raise Failure("limit.list", at)
        return new_list(list(a) * b if length else (), call.epoch)
    return _multiply_numbers(call, a, b, at)


def union(call: Call, a: Value, b: Value, at: At) -> Value:
    if not (isinstance(a, dict) and isinstance(b, dict)):
        raise _wrong("|", a, b, at)
    call.left -= 8 + 2 * (len(a) + len(b))
    if call.left < 0:
        call.charge(0, at)
    made = new_map(a, call.epoch)
    made.update(b)
    if len(made) > MAX_MAP:
        raise Failure("limit.map", at)
    return made


def equals(call: Call, a: Value, b: Value, at: At) -> bool:
    if type(a) in CONTAINERS and type(b) in CONTAINERS:
        return pair(call, a, b, at)
    call.charge(read(a) + read(b), at)
    if type(a) in NUMBERS and type(b) in NUMBERS:
        call.charge(wide(a, b), at)
    return scalars_equal(a, b)


def differs(call: Call, a: Value, b: Value, at: At) -> bool:
    return not equals(call, a, b, at)


def _ordering(op: str, holds: Callable[[int], bool]) -> Binary:
    def run(call: Call, a: Value, b: Value, at: At) -> bool:
        if type(a) is str and type(b) is str:
            call.charge(read(a) + read(b), at)
            return holds((a > b) - (a < b))
        if type(a) in NUMBERS and type(b) in NUMBERS:
            call.charge(wide(a, b), at)
            return holds(number.compare(a, b))
        raise _wrong(op, a, b, at)

    return run


def contains(call: Call, a: Value, b: Value, at: At) -> bool:
    """`a in b`."""
    if type(b) is str:
        if type(a) is not str:
            raise Failure("type.in_string", at, type=type_name(a))
        call.charge(read(a) + read(b), at)
        return a in b
    if isinstance(b, dict):
        if type(a) is not str:
            raise Failure("type.in_map", at, type=type_name(a))
        call.charge(read(a) + lookup(len(b)), at)
        return a in b
    if type(b) not in LISTS:
        raise Failure("type.in_right", at, type=type_name(b))
    return any(pair(call, a, item, at) for item in b)


def lacks(call: Call, a: Value, b: Value, at: At) -> bool:
    """`a not in b`."""
    return not contains(call, a, b, at)


def negate(call: Call, x: Value, at: At) -> Value:
    if type(x) not in NUMBERS:
        raise Failure("type.negate", at, type=type_name(x))
    call.charge(wide(x), at)
    return number.negate(x)


BINARY: Final[dict[str, Binary]] = {
    "+": add,
    "-": _arithmetic("-", number.subtract),
    "*": multiply,
    "/": _dividing("/", number.divide),
    "//": _dividing("//", number.floor_divide),
    "%": _dividing("%", number.modulo),
    "|": union,
    "==": equals,
    "!=": differs,
    "<": _ordering("<", lambda order: order < 0),
    "<=": _ordering("<=", lambda order: order <= 0),
    ">": _ordering(">", lambda order: order > 0),
    ">=": _ordering(">=", lambda order: order >= 0),
    "in": contains,
    "not in": lacks,
}
