"""The table of all built-in functions and methods: what runs, and how many arguments it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from aggregate.engine.pure import functions, iterables, lists, maps, outcome, strings
from aggregate.engine.pure.arguments import Arity, Keywords, check_arity
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.value import TYPE_NAMES, Value, type_name

Function: TypeAlias = Callable[[Call, "list[Value]", Keywords, At], Value]
Method: TypeAlias = Callable[[Call, Any, "list[Value]", Keywords, At], Value]

FUNCTIONS: Final[dict[str, tuple[Function, Arity]]] = {
    "len": (functions.len_, (1, 1)),
    "str": (functions.str_, (1, 1)),
    "type": (functions.type_, (1, 1)),
    "int": (functions.int_, (1, 1)),
    "number": (functions.number_, (1, 1)),
    "bool": (functions.bool_, (1, 1)),
    "abs": (functions.abs_, (1, 1)),
    "min": (iterables.min_, (1, None)),
    "max": (iterables.max_, (1, None)),
    "sum": (iterables.sum_, (1, 1)),
    "sorted": (iterables.sorted_, (1, 1)),
    "reversed": (iterables.reversed_, (1, 1)),
    "range": (iterables.range_, (1, 3)),
    "enumerate": (iterables.enumerate_, (1, 1)),
    "zip": (iterables.zip_, (2, None)),
    "dict": (functions.dict_, (0, 1)),
    "list": (iterables.list_, (1, 1)),
    "any": (iterables.any_, (1, 1)),
    "all": (iterables.all_, (1, 1)),
    "round": (functions.round_, (1, 3)),
    "fixed": (functions.fixed, (2, 2)),
    "split": (functions.split, (3, 3)),
    "has": (functions.has, (2, 2)),
    "event": (outcome.event, (1, 2)),
    "reject": (outcome.reject, (1, 1)),
}

METHODS: Final[dict[str, dict[str, tuple[Method, Arity]]]] = {
    "string": {
        "startswith": (strings.startswith, (1, 1)),
        "endswith": (strings.endswith, (1, 1)),
        "find": (strings.find, (1, 1)),
        "count": (strings.count, (1, 1)),
        "replace": (strings.replace, (2, 2)),
        "split": (strings.split, (0, 1)),
        "join": (strings.join, (1, 1)),
        "strip": (strings.strip, (0, 0)),
        "lstrip": (strings.lstrip, (0, 0)),
        "rstrip": (strings.rstrip, (0, 0)),
        "lower": (strings.lower, (0, 0)),
        "upper": (strings.upper, (0, 0)),
        "format": (strings.format_, (0, None)),
    },
    "list": {
        "append": (lists.append, (1, 1)),
        "extend": (lists.extend, (1, 1)),
        "insert": (lists.insert, (2, 2)),
        "pop": (lists.pop, (0, 1)),
        "index": (lists.index, (1, 1)),
        "count": (lists.count, (1, 1)),
    },
    "map": {
        "get": (maps.get, (1, 2)),
        "keys": (maps.keys, (0, 0)),
        "values": (maps.values, (0, 0)),
        "items": (maps.items, (0, 0)),
        "pop": (maps.pop, (1, 2)),
        "update": (maps.update, (1, 1)),
        "setdefault": (maps.setdefault, (1, 2)),
    },
}

METHOD_NAMES: Final = frozenset(name for methods in METHODS.values() for name in methods)
KEYWORDS: Final[dict[str, tuple[str, ...]]] = {"round": ("places", "mode"), "sorted": ("by", "reverse")}
"""The keywords of built-ins that list them; `event`, `reject` and `format` take any."""

_BY_TYPE: Final[dict[type, dict[str, tuple[Method, Arity]]]] = {kind: METHODS.get(name, {}) for kind, name in TYPE_NAMES.items()}
_POSITIONS: Final = {"places": 1, "mode": 2}


def call_function(call: Call, name: str, args: list[Value], keywords: Keywords, at: At) -> Value:
    """A built-in function: arity, then whatever it does."""
    function, arity = FUNCTIONS[name]
    check_arity("arity.builtin", name, arity, len(args), at)
    if name == "round":
        for keyword in KEYWORDS[name]:
            if keyword in keywords and len(args) > _POSITIONS[keyword]:
                raise Failure("arity.keyword_twice", at, function=name, keyword=keyword)
    return function(call, args, keywords, at)


def call_method(call: Call, receiver: Value, name: str, args: list[Value], keywords: Keywords, at: At) -> Value:
    """A method: the receiver's type, arity, then whatever it does."""
    found = _BY_TYPE[type(receiver)].get(name)
    if found is None:
        raise Failure("type.method", at, name=name, type=type_name(receiver))
    method, arity = found
    check_arity("arity.method", name, arity, len(args), at)
    return method(call, receiver, args, keywords, at)
