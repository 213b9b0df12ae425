"""List and map comprehensions to closures: from the inside out, each clause a closure that runs the next one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from aggregate.engine.pure.access import store
from aggregate.engine.pure.expressions import compile_expression, enter_unit, leaf
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call, lookup
from aggregate.engine.pure.scope import UNBOUND, BadIR, Node, Run, Scope, integer, sequence
from aggregate.engine.pure.value import LISTS, MAPS, MAX_KEY, MAX_LIST, List, Map, Value, type_name

ELEMENT = 2
"""The charge for an element of a list comprehension."""

Step: TypeAlias = Callable[[Call, "list[Any]", Any], None]
"""A clause, or the element at the end: takes the call, the slots and the container that is being made."""


@leaf("lcomp")
def _compile_list(node: Node, scope: Scope) -> Run:
    _, line, column, own_slots, clauses, unit, element_node = node
    at, own = scope.at(line, column), scope.own_slots(own_slots)
    (weight, unit_at), element = scope.unit(unit), compile_expression(element_node, scope)

    def add(call: Call, slots: list[Any], made: List) -> None:
        enter_unit(call, weight, unit_at)
        value = element(call, slots)
        call.charge(ELEMENT, at)
        if len(made) >= MAX_LIST:
            raise Failure("limit.list", at)
        made.append(value)

    start = _clauses(clauses, add, own, scope)

    def run(call: Call, slots: list[Any]) -> Value:
        for slot in own:
            slots[slot] = UNBOUND
        made = List()
        made.epoch = call.epoch
        start(call, slots, made)
        return made

    return run


@leaf("mcomp")
def _compile_map(node: Node, scope: Scope) -> Run:
    _, line, column, own_slots, clauses, unit, key_node, value_node = node
    at, own = scope.at(line, column), scope.own_slots(own_slots)
    weight, key_at = scope.unit(unit)
    key_run, value_run = compile_expression(key_node, scope), compile_expression(value_node, scope)

    def add(call: Call, slots: list[Any], made: Map) -> None:
        enter_unit(call, weight, key_at)
        key, value = key_run(call, slots), value_run(call, slots)
        if type(key) is not str:
            raise Failure("type.literal_key", key_at, type=type_name(key))
        call.charge((len(key) >> 4) + lookup(len(made)), at)
        if len(key) > MAX_KEY:
            raise Failure("limit.map_key", key_at)
        store(made, key, value, at)

    start = _clauses(clauses, add, own, scope)

    def run(call: Call, slots: list[Any]) -> Value:
        for slot in own:
            slots[slot] = UNBOUND
        made = Map()
        made.epoch = call.epoch
        start(call, slots, made)
        return made

    return run


def iterated(call: Call, value: Value, at: At) -> Any:
    """What a loop or clause over `value` meets; a map's keys are paid for and taken at once. The caller unlocks what `locked` says."""
    kind = type(value)
    if kind in LISTS:
        return value
    if kind in MAPS:
        call.charge(len(value), at)
        return sorted(value)
    raise Failure("type.iterate", at, type=type_name(value))


def locked(call: Call, value: Value) -> bool:
    """Lock what the program could change while it iterates; True when there is something to unlock."""
    if (type(value) is List or type(value) is Map) and value.epoch == call.epoch:
        call.lock(value)
        return True
    return False


def bind(slots: list[Any], targets: tuple[int, ...], value: Value, at: At) -> None:
    """Unpack a list into slots."""
    if type(value) not in LISTS:
        raise Failure("type.unpack", at, type=type_name(value))
    if len(value) != len(targets):
        raise Failure("value.unpack", at, names=len(targets), values=len(value))
    for slot, item in zip(targets, value, strict=True):
        slots[slot] = item


def _clauses(nodes: Node, inner: Step, own: tuple[int, ...], scope: Scope) -> Step:
    clauses = sequence(nodes)
    if not clauses or clauses[0][0] != "for":
        raise BadIR("a comprehension starts with for")
    scope.enter(len(clauses))
    for clause in reversed(clauses):
        if clause[0] == "for":
            inner = _for(clause, inner, own, scope)
        elif clause[0] == "if":
            inner = _if(clause, inner, scope)
        else:
            raise BadIR(f"unknown clause {clause[0]!r:.80}")
    scope.leave(len(clauses))
    return inner


def _for(clause: Node, inner: Step, own: tuple[int, ...], scope: Scope) -> Step:
    _, line, column, weight, target_slots, place, iterable_node, names_place = clause
    at, iterable_at, names_at = scope.at(line, column), scope.place(place), scope.place(names_place)
    integer(weight)
    targets, iterable = scope.slots(target_slots), compile_expression(iterable_node, scope)
    if not set(targets) <= set(own):
        raise BadIR("a clause assigns a slot that is none of its comprehension's")
    single = targets[0] if len(targets) == 1 else None

    def run(call: Call, slots: list[Any], made: Any) -> None:
        value = iterable(call, slots)
        items = iterated(call, value, iterable_at)
        lock = locked(call, value)
        for item in items:
            call.left -= weight
            if call.left < 0:
                enter_unit(call, 0, at)
            if single is not None:
                slots[single] = item
            else:
                bind(slots, targets, item, names_at)
            inner(call, slots, made)
        if lock:
            call.unlock(value)

    return run


def _if(clause: Node, inner: Step, scope: Scope) -> Step:
    _, unit, condition = clause
    (weight, at), test = scope.unit(unit), compile_expression(condition, scope)

    def run(call: Call, slots: list[Any], made: Any) -> None:
        enter_unit(call, weight, at)
        if test(call, slots):
            inner(call, slots, made)

    return run
