"""Reading and writing what is inside of containers: fields, indexes, slices; who may be changed.

A missing key is Python's `KeyError` here: a program's closure makes the error `key.missing` of it, a filter's null.
"""

from __future__ import annotations

from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call, lookup, made_list, made_string, read
from aggregate.engine.pure.value import LISTS, MAX_KEY, MAX_LIST, MAX_MAP, MAX_STRING, List, Map, Value, new_list, shown, type_name

WRITE_ELEMENT = 2
"""The charge for a write of `x[i]`."""


def field(value: Value, name: str, at: At) -> Value:
    """`value.name`; costs nothing beyond its unit."""
    if isinstance(value, dict):
        return value[name]
    raise Failure("type.field", at, name=name, type=type_name(value))


def index(call: Call, container: Value, key: Value, at: At) -> Value:
    """`container[key]`."""
    if isinstance(container, dict):
        if type(key) is not str:
            raise Failure("type.map_key", at, type=type_name(key))
        call.charge(read(key) + lookup(len(container)), at)
        return container[key]
    if type(container) is str:
        position = _index(container, key, at)
        call.charge(read(container), at)
        _check_range(container, position, at)
        call.charge(made_string(1), at)
        return container[position]
    if type(container) not in LISTS:
        raise Failure("type.index_target", at, type=type_name(container))
    position = _index(container, key, at)
    _check_range(container, position, at)
    return container[position]


def cut(call: Call, value: Value, bounds: tuple[Value, ...], at: At) -> Value:
    """`value[start:stop]`; `bounds` are those that are written, each an integer, as a pair with `...` for an absent one."""
    if type(value) is not str and type(value) not in LISTS:
        raise Failure("type.slice_target", at, type=type_name(value))
    ends: list[int | None] = []
    for bound in bounds:
        if bound is not ... and type(bound) is not int:
            raise Failure("type.slice_bound", at, value=shown(bound))
        ends.append(None if bound is ... else bound)
    start, stop, _ = slice(*ends).indices(len(value))
    length = max(stop - start, 0)
    if type(value) is str:
        call.charge(read(value), at)
        call.charge(made_string(length), at)
        return value[start:stop]
    call.charge(made_list(length), at)
    if length > MAX_LIST:
        raise Failure("limit.list", at)
    return new_list(value[start:stop] if length else (), call.epoch)


def write_field(call: Call, target: Value, name: str, value: Value, at: At) -> None:
    """`target.name = value`."""
    if not isinstance(target, dict):
        raise Failure("type.write_field", at, type=type_name(target))
    check_mutable(call, target, at)
    call.charge(lookup(len(target)), at)
    store(target, name, value, at)


def write_index(call: Call, target: Value, key: Value, value: Value, at: At) -> None:
    """`target[key] = value`."""
    if isinstance(target, dict):
        if type(key) is not str:
            raise Failure("type.map_key", at, type=type_name(key))
        check_mutable(call, target, at)
        call.charge(read(key) + lookup(len(target)), at)
        store(target, key, value, at)
        return
    if type(target) not in LISTS:
        raise Failure("type.write_index", at, type=type_name(target))
    position = _index(target, key, at)
    check_mutable(call, target, at)
    call.charge(WRITE_ELEMENT, at)
    _check_range(target, position, at)
    target[position] = value


def store(target: dict[str, Value], key: str, value: Value, at: At) -> None:
    """Write an entry that is paid for, within the limits of maps."""
    if key not in target:
        if len(key) > MAX_KEY:
            raise Failure("limit.map_key", at)
        if len(target) >= MAX_MAP:
            raise Failure("limit.map", at)
    target[key] = value


def check_mutable(call: Call, target: Value, at: At) -> None:
    """
    Raises:
        Failure: `frozen.*` for a range and for what was not made in this call, `mutation.*` for what is being iterated.
    """
    kind = type(target)
    if (kind is List or kind is Map) and target.epoch == call.epoch:
        if call.locks and id(target) in call.locks:
            raise Failure(f"mutation.{type_name(target)}", at)
        return
    raise Failure(f"frozen.{type_name(target)}", at)


def check_length(items: int, at: At) -> None:
    if items > MAX_LIST:
        raise Failure("limit.list", at)


def check_text(length: int, at: At) -> None:
    if length > MAX_STRING:
        raise Failure("limit.string", at)


def _index(container: Value, key: Value, at: At) -> int:
    if type(key) is not int:
        raise Failure("type.index_number", at, type=type_name(container), value=shown(key))
    return key


def _check_range(container: Value, position: int, at: At) -> None:
    length = len(container)
    if not -length <= position < length:
        raise Failure("index.range", at, index=position, type=type_name(container), length=length)
