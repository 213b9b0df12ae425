"""The methods of maps. Those that change the map check, in this order: types, frozen, mutation; then they charge."""

from __future__ import annotations

from aggregate.engine.pure.access import check_mutable, store
from aggregate.engine.pure.arguments import MAP, STRING, Keywords, want
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call, lookup, read
from aggregate.engine.pure.iterables import make_list, make_pairs
from aggregate.engine.pure.value import Map, Value, shown


def get(call: Call, entries: Map, args: list[Value], _: Keywords, at: At) -> Value:
    key = args[0]
    want("get", 1, key, STRING, at)
    call.charge(read(key) + lookup(len(entries)), at)
    return entries.get(key, args[1] if len(args) > 1 else None)


def pop(call: Call, entries: Map, args: list[Value], _: Keywords, at: At) -> Value:
    key = args[0]
    want("pop", 1, key, STRING, at)
    check_mutable(call, entries, at)
    call.charge(read(key) + lookup(len(entries)), at)
    if key in entries:
        return entries.pop(key)
    if len(args) == 1:
        raise Failure("key.missing", at, key=shown(key))
    return args[1]


def setdefault(call: Call, entries: Map, args: list[Value], _: Keywords, at: At) -> Value:
    key = args[0]
    want("setdefault", 1, key, STRING, at)
    check_mutable(call, entries, at)
    call.charge(read(key) + lookup(len(entries)), at)
    if key not in entries:
        store(entries, key, args[1] if len(args) > 1 else None, at)
    return entries[key]


def update(call: Call, entries: Map, args: list[Value], _: Keywords, at: At) -> Value:
    more = args[0]
    want("update", 1, more, MAP, at)
    check_mutable(call, entries, at)
    for key in sorted(more):
        call.charge(read(key) + lookup(len(entries)), at)
        store(entries, key, more[key], at)
    return None


def keys(call: Call, entries: Map, args: list[Value], _: Keywords, at: At) -> Value:
    return make_list(call, sorted(entries), at)


def values(call: Call, entries: Map, args: list[Value], _: Keywords, at: At) -> Value:
    return make_list(call, [entries[key] for key in sorted(entries)], at)


def items(call: Call, entries: Map, args: list[Value], _: Keywords, at: At) -> Value:
    return make_pairs(call, [(key, entries[key]) for key in sorted(entries)], len(entries), at)
