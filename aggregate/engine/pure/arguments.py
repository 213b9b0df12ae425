"""Checks of a call's arguments: arity, then types, in the order of `docs/engine-notes.md`, 4 to 6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.value import LISTS, MAPS, NUMBERS, Value, shown, type_name

Arity: TypeAlias = "tuple[int, int | None]"
"""Fewest and most positional arguments (None: no bound)."""
Keywords: TypeAlias = "dict[str, Value]"
Where: TypeAlias = "int | str"
"""An argument's position from 1, or its keyword."""

STRING: Final = "a string"
NUMBER: Final = "a number"
BOOL: Final = "a bool"
LIST: Final = "a list"
MAP: Final = "a map"
ITERABLE: Final = "a list or map"
SCALAR: Final = "a number or string"
SIZED: Final = "a string, list or map"
INTEGER: Final = "an integer"

_ACCEPTED: Final[dict[str, frozenset[type]]] = {
    STRING: frozenset((str,)),
    NUMBER: NUMBERS,
    BOOL: frozenset((bool,)),
    LIST: LISTS,
    MAP: MAPS,
    ITERABLE: LISTS | MAPS,
    SCALAR: NUMBERS | {str},
    SIZED: LISTS | MAPS | {str},
    INTEGER: NUMBERS,
}


def expected(arity: Arity) -> str:
    fewest, most = arity
    if most is None:
        return f"at least {fewest}"
    return str(fewest) if fewest == most else f"{fewest} to {most}"


def check_arity(key: str, function: str, arity: Arity, actual: int, at: At) -> None:
    """`key` is the message: `arity.function`, `arity.builtin` or `arity.method`."""
    fewest, most = arity
    if actual < fewest or (most is not None and actual > most):
        raise Failure(key, at, function=function, expected=expected(arity), actual=actual)


def want(function: str, where: Where, value: Value, what: str, at: At) -> None:
    """The argument must be of the type that `what` names (`an integer`: any number here; see `want_integer`)."""
    if type(value) not in _ACCEPTED[what]:
        if type(where) is int:
            raise Failure("type.argument", at, function=function, position=where, expected=what, type=type_name(value))
        raise Failure("type.keyword", at, function=function, keyword=where, expected=what, type=type_name(value))


def want_integer(function: str, position: int, value: Value, at: At) -> int:
    want(function, position, value, INTEGER, at)
    if type(value) is not int:
        raise Failure("type.argument_integer", at, function=function, position=position, value=shown(value))
    return value


def want_elements(function: str, items: Sequence[Value], what: str, at: At) -> None:
    accepted = _ACCEPTED[what]
    for index, item in enumerate(items):
        if type(item) not in accepted:
            raise Failure("type.element", at, function=function, index=index, expected=what, type=type_name(item))


def want_comparable(function: str, items: Sequence[Value], at: At) -> None:
    """All numbers or all strings."""
    for index, item in enumerate(items):
        if type(item) is not str and type(item) not in NUMBERS:
            raise Failure("type.element", at, function=function, index=index, expected=SCALAR, type=type_name(item))
        if (type(item) is str) is not (type(items[0]) is str):
            raise Failure("type.mixed", at, function=function, left=type_name(items[0]), right=type_name(item))
