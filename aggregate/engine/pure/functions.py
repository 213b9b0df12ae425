"""The built-in functions on values and numbers; those that make or order lists are in `iterables.py`, the outcomes in `outcome.py`."""

from __future__ import annotations

from aggregate.engine.pure import number
from aggregate.engine.pure.arguments import INTEGER, MAP, NUMBER, SCALAR, SIZED, STRING, Keywords, Where, want
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call, lookup, made_list, made_map, made_string, read, wide
from aggregate.engine.pure.number import OutOfDomain
from aggregate.engine.pure.value import CONTAINERS, MAX_LIST, MAX_STRING, Value, new_list, new_map, scalar_text, shown, type_name
from aggregate.engine.pure.walk import Writer


def len_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    value = args[0]
    want("len", 1, value, SIZED, at)
    call.charge(read(value), at)
    return len(value)


def bool_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    return truthy(args[0])


def truthy(value: Value) -> bool:
    return bool(value)


def type_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    return type_name(args[0])


def str_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    value = args[0]
    if type(value) is str:
        text = value
    elif type(value) in CONTAINERS:
        writer = Writer(call, at, MAX_STRING, "limit.string")
        writer.value(value)
        text = writer.take()
    else:
        call.charge(wide(value), at)
        text = scalar_text(value)
    call.charge(made_string(len(text)), at)
    return text


def int_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    value = args[0]
    want("int", 1, value, SCALAR, at)
    if type(value) is str:
        return _parsed(call, value, "int", at)
    call.charge(wide(value), at)
    return number.truncate(value)


def number_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    value = args[0]
    want("number", 1, value, SCALAR, at)
    if type(value) is str:
        return _parsed(call, value, "number", at)
    call.charge(wide(value), at)
    return value


def _parsed(call: Call, text: str, function: str, at: At) -> Value:
    call.charge(read(text), at)
    try:
        return number.from_plain_text(text, fraction=function == "number")
    except ValueError:
        raise Failure(f"value.{function}_text", at, text=shown(text)) from None
    except OutOfDomain:
        raise Failure("overflow.text", at, function=function, text=shown(text)) from None


def abs_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    want("abs", 1, args[0], NUMBER, at)
    call.charge(wide(args[0]), at)
    return number.absolute(args[0])


def round_(call: Call, args: list[Value], keywords: Keywords, at: At) -> Value:
    want("round", 1, args[0], NUMBER, at)
    given: dict[str, tuple[Value, Where]] = {}
    for position, (name, value) in enumerate(zip(("places", "mode"), args[1:], strict=False), 2):
        given[name] = value, position
    given.update((name, (value, name)) for name, value in keywords.items())
    places, where = given.get("places", (0, 2))
    want("round", where, places, INTEGER, at)
    mode, where = given.get("mode", ("half_even", 3))
    want("round", where, mode, STRING, at)
    call.charge(wide(args[0], places), at)
    digits = _places("round", places, at)
    if mode not in number.MODES:
        raise Failure("value.mode", at, mode=shown(mode))
    return number.round_to(args[0], digits, mode)


def fixed(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    want("fixed", 1, args[0], NUMBER, at)
    want("fixed", 2, args[1], INTEGER, at)
    call.charge(wide(*args), at)
    text = number.fixed(args[0], _places("fixed", args[1], at))
    call.charge(made_string(len(text)), at)
    return text


def split(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    amount, n, places = args
    want("split", 1, amount, NUMBER, at)
    want("split", 2, n, INTEGER, at)
    want("split", 3, places, INTEGER, at)
    call.charge(wide(*args), at)
    if type(n) is not int or n < 1:
        raise Failure("value.split_parts", at, value=shown(n))
    digits = _places("split", places, at)
    units = number.units_of(amount, digits)
    if units is None:
        raise Failure("value.split_fine", at, amount=shown(amount), places=digits)
    call.charge(made_list(n), at)
    if n > MAX_LIST:
        raise Failure("limit.split_parts", at)
    try:
        return new_list(number.split(units, n, digits), call.epoch)
    except OutOfDomain:
        raise Failure("overflow.function", at, function="split") from None


def _places(function: str, places: Value, at: At) -> int:
    if type(places) is not int or not 0 <= places <= number.PLACES:
        raise Failure("value.places", at, function=function, value=shown(places))
    return places


def dict_(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    source = args[0] if args else {}
    want("dict", 1, source, MAP, at)
    call.charge(made_map(len(source)), at)
    return new_map(source, call.epoch)


def has(call: Call, args: list[Value], _: Keywords, at: At) -> Value:
    value, path = args
    want("has", 2, path, STRING, at)
    call.charge(read(path), at)
    for step in path.split("."):
        if not isinstance(value, dict):
            return False
        call.charge(lookup(len(value)), at)
        if step not in value:
            return False
        value = value[step]
    return True
