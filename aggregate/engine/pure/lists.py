"""The methods of lists. Those that change the list check, in this order: types, frozen, mutation; then they charge."""

from __future__ import annotations

from aggregate.engine.pure.access import check_length, check_mutable
from aggregate.engine.pure.arguments import ITERABLE, Keywords, want, want_integer
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.value import List, Value, items_of, shown, type_name
from aggregate.engine.pure.walk import pair

MOVE = 2
"""The charge for one element put in or taken out."""


def append(call: Call, items: List, args: list[Value], _: Keywords, at: At) -> Value:
    check_mutable(call, items, at)
    call.charge(MOVE, at)
    check_length(len(items) + 1, at)
    items.append(args[0])
    return None


def extend(call: Call, items: List, args: list[Value], _: Keywords, at: At) -> Value:
    want("extend", 1, args[0], ITERABLE, at)
    check_mutable(call, items, at)
    more = items_of(args[0])
    assert more is not None
    call.charge(len(more), at)
    check_length(len(items) + len(more), at)
    items.extend(more)
    return None


def insert(call: Call, items: List, args: list[Value], _: Keywords, at: At) -> Value:
    position = want_integer("insert", 1, args[0], at)
    check_mutable(call, items, at)
    call.charge(MOVE + (len(items) >> 3), at)
    check_length(len(items) + 1, at)
    items.insert(max(-len(items), min(position, len(items))), args[1])
    return None


def pop(call: Call, items: List, args: list[Value], _: Keywords, at: At) -> Value:
    position = want_integer("pop", 1, args[0], at) if args else -1
    check_mutable(call, items, at)
    call.charge(MOVE + (len(items) >> 3 if args else 0), at)
    if not items and not args:
        raise Failure("index.pop_empty", at)
    if not -len(items) <= position < len(items):
        raise Failure("index.range", at, index=position, type=type_name(items), length=len(items))
    return items.pop(position)


def index(call: Call, items: List, args: list[Value], _: Keywords, at: At) -> Value:
    for position, item in enumerate(items):
        if pair(call, item, args[0], at):
            return position
    raise Failure("value.not_in_list", at, value=shown(args[0]))


def count(call: Call, items: List, args: list[Value], _: Keywords, at: At) -> Value:
    return sum(pair(call, item, args[0], at) for item in items)
