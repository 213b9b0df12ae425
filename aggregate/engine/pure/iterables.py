"""The built-in functions that meet the elements of lists and maps, order them, or make lists of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aggregate.engine.pure import number
from aggregate.engine.pure.access import check_length
from aggregate.engine.pure.arguments import (
    BOOL,
    ITERABLE,
    MAP,
    NUMBER,
    STRING,
    Keywords,
    want,
    want_comparable,
    want_elements,
    want_integer,
)
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call, lookup, made_list, read, wide
from aggregate.engine.pure.number import Dec
from aggregate.engine.pure.value import MAX_RANGE, Value, items_of, new_list, shown, type_name

PAIR = made_list(2)
"""What the pairs of `enumerate` and `items` cost, each."""


def _items(function: str, position: int, value: Value, at: At) -> Sequence[Value]:
    want(function, position, value, ITERABLE, at)
    items: Sequence[Value] = items_of(value)
    return items


def order_keys(items: Sequence[Value]) -> Sequence[Any]:
    """Keys that order numbers or strings as the language does: of numbers the coefficients at a common scale."""
    if any(type(item) is Dec for item in items):
        pairs = [number.parts(item) for item in items]
        scale = max(part[1] for part in pairs)
        return [coefficient * 10 ** (scale - own) for coefficient, own in pairs]
    return items


def _extreme(function: str, pick: Callable[..., int]) -> Callable[[Call, list[Value], Keywords, At], Value]:
    def run(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
        items: Sequence[Value] = args
        if len(args) == 1:
            items = _items(function, 1, args[0], at)
            call.charge(len(items), at)
            want_comparable(function, items, at)
            if not items:
                raise Failure("value.empty", at, function=function)
        else:
            want_comparable(function, items, at)
            call.charge(wide(*items), at)
        call.charge(sum(map(read, items)), at)
        keys = order_keys(items)
        return items[pick(range(len(items)), key=keys.__getitem__)]

    return run


min_ = _extreme("min", min)
max_ = _extreme("max", max)


def sum_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    items = _items("sum", 1, args[0], at)
    call.charge(len(items), at)
    want_elements("sum", items, NUMBER, at)
    total: Value = 0
    for item in items:
        total = _accumulate(call, total, item, at)
    return total


def _accumulate(call: Call, total: Value, item: Value, at: At) -> Value:
    call.charge(wide(total, item), at)
    try:
        return number.add(total, item)
    except number.OutOfDomain:
        raise Failure("overflow.function", at, function="sum") from None


def sorted_(call: Call, args: list[Value], keywords: Keywords, at: At) -> Value:
    want("sorted", 1, args[0], ITERABLE, at)
    by, reverse = keywords.get("by", ""), keywords.get("reverse", False)
    want("sorted", "by", by, STRING, at)
    want("sorted", "reverse", reverse, BOOL, at)
    items = _items("sorted", 1, args[0], at)
    n = len(items)
    call.charge(n, at)
    values = _values_by(call, items, by, at) if "by" in keywords else items
    want_comparable("sorted", values, at)
    points = sum(len(value) for value in values if type(value) is str)
    call.charge(n.bit_length() * (n + (points >> 4)), at)
    call.charge(made_list(n), at)
    check_length(n, at)
    keys = order_keys(values)
    order = sorted(range(n), key=keys.__getitem__, reverse=reverse)
    return new_list([items[i] for i in order], call.epoch)


def _values_by(call: Call, items: Sequence[Value], path: str, at: At) -> list[Value]:
    want_elements("sorted", items, MAP, at)
    call.charge(read(path), at)
    steps = path.split(".")
    values = []
    for index, item in enumerate(items):
        value = item
        for step in steps:
            if not isinstance(value, dict):
                raise Failure("type.by_step", at, path=shown(path), type=type_name(value), index=index)
            call.charge(lookup(len(value)), at)
            if step not in value:
                raise Failure("key.by", at, key=shown(step), path=shown(path), index=index)
            value = value[step]
        values.append(value)
    return values


def reversed_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    return _copied(call, "reversed", args[0], at, -1)


def list_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    return _copied(call, "list", args[0], at, 1)


def _copied(call: Call, function: str, value: Value, at: At, step: int) -> Value:
    items = _items(function, 1, value, at)
    return make_list(call, items[::step] if step < 0 else items, at)


def make_list(call: Call, items: Sequence[Value], at: At) -> Value:
    """A new list of the items, paid for (L) and within the limit."""
    call.charge(made_list(len(items)), at)
    check_length(len(items), at)
    return new_list(items, call.epoch)


def make_pairs(call: Call, pairs: Sequence[tuple[Value, Value]] | enumerate[Value], n: int, at: At) -> Value:
    """A new list of n new lists of two."""
    call.charge(made_list(n) + n * PAIR, at)
    check_length(n, at)
    return new_list([new_list(pair, call.epoch) for pair in pairs], call.epoch)


def enumerate_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    items = _items("enumerate", 1, args[0], at)
    return make_pairs(call, enumerate(items), len(items), at)


def zip_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    rows = [_items("zip", position, value, at) for position, value in enumerate(args, 1)]
    n = min(map(len, rows))
    call.charge(made_list(n) + n * made_list(len(rows)), at)
    check_length(n, at)
    return new_list([new_list(row, call.epoch) for row in zip(*rows, strict=False)], call.epoch)


def range_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    numbers = [want_integer("range", position, value, at) for position, value in enumerate(args, 1)]
    start, stop, step = (0, numbers[0], 1) if len(numbers) == 1 else (*numbers, 1)[:3]
    if step == 0:
        raise Failure("value.range_step", at)
    distance = stop - start if step > 0 else start - stop
    if distance > 0 and -(-distance // abs(step)) > MAX_RANGE:
        raise Failure("limit.range", at)
    return range(start, stop, step)


def any_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    return _decides("any", True, call, args[0], at)


def all_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    return _decides("all", False, call, args[0], at)


def _decides(function: str, deciding: bool, call: Call, value: Value, at: At) -> bool:
    for item in _items(function, 1, value, at):
        call.charge(1, at)
        if bool(item) is deciding:
            return deciding
    return not deciding
