"""Expressions without a left operand: literals, names, list and map literals, `not`, unary minus, conditionals."""

from __future__ import annotations

from typing import Any

from aggregate.engine.pure import number, operators
from aggregate.engine.pure.expressions import compile_expression, constant, enter_unit, leaf, unbound
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call, read
from aggregate.engine.pure.scope import UNBOUND, BadIR, Node, Run, Scope, integer, sequence, text
from aggregate.engine.pure.value import MAX_KEY, Map, Value, new_list, shown, type_name


@leaf("null", "true", "false")
def _literal(node: Node, scope: Scope) -> Run:
    tag, line, column = node
    scope.at(line, column)
    return constant(None if tag == "null" else tag == "true")


@leaf("num")
def _number(node: Node, scope: Scope) -> Run:
    _, line, column, digits = node
    scope.at(line, column)
    return constant(number.from_text(text(digits)))


@leaf("str")
def _string(node: Node, scope: Scope) -> Run:
    _, line, column, value = node
    scope.at(line, column)
    return constant(text(value))


@leaf("local")
def _local(node: Node, scope: Scope) -> Run:
    _, line, column, index = node
    slot, at = scope.slot(index), scope.at(line, column)
    name = scope.names[slot]
    if slot < scope.bound:
        return lambda call, slots: slots[slot]

    def run(call: Call, slots: list[Any]) -> Value:
        value: Any = slots[slot]
        if value is UNBOUND:
            raise unbound(name, at)
        return value

    return run


@leaf("const")
def _const(node: Node, scope: Scope) -> Run:
    _, _, _, index = node
    if integer(index) >= len(scope.consts):
        raise BadIR(f"const {index} of {len(scope.consts)}")
    return constant(scope.consts[index])


@leaf("free")
def _free(node: Node, scope: Scope) -> Run:
    _, _, _, name = node
    if not scope.free:
        raise BadIR("a free name in a program")
    text(name)

    def run(call: Call, slots: list[Any]) -> Value:
        state = slots[0]
        return state.get(name) if isinstance(state, dict) else None

    return run


@leaf("if")
def _conditional(node: Node, scope: Scope) -> Run:
    _, line, column, condition, then_unit, then, else_unit, otherwise = node
    scope.at(line, column)
    test, yes, no = (compile_expression(part, scope) for part in (condition, then, otherwise))
    (yes_weight, yes_at), (no_weight, no_at) = scope.unit(then_unit), scope.unit(else_unit)

    def run(call: Call, slots: list[Any]) -> Value:
        if test(call, slots):
            enter_unit(call, yes_weight, yes_at)
            return yes(call, slots)
        enter_unit(call, no_weight, no_at)
        return no(call, slots)

    return run


@leaf("not")
def _not(node: Node, scope: Scope) -> Run:
    _, line, column, operand = node
    scope.at(line, column)
    inner = compile_expression(operand, scope)
    return lambda call, slots: not inner(call, slots)


@leaf("neg")
def _negate(node: Node, scope: Scope) -> Run:
    _, line, column, operand = node
    at, inner, null_safe = scope.at(line, column), compile_expression(operand, scope), scope.null_safe

    def run(call: Call, slots: list[Any]) -> Value:
        value = inner(call, slots)
        return None if value is None and null_safe else operators.negate(call, value, at)

    return run


@leaf("list")
def _list(node: Node, scope: Scope) -> Run:
    _, line, column, elements = node
    scope.at(line, column)
    items = tuple(compile_expression(item, scope) for item in sequence(elements))

    def run(call: Call, slots: list[Any]) -> Value:
        return new_list([item(call, slots) for item in items], call.epoch)

    return run


@leaf("map")
def _map(node: Node, scope: Scope) -> Run:
    _, line, column, rows = node
    at = scope.at(line, column)
    entries = [
        (scope.place(place), key, compile_expression(key, scope), compile_expression(value, scope)) for place, key, value in sequence(rows)
    ]
    literal = [text(key[3]) for _, key, _, _ in entries if key[0] == "str"]
    if len(set(literal)) != len(entries) or any(len(key) > MAX_KEY for key in literal):
        return _computed_map(entries, at)
    pairs = tuple(zip(literal, (value for _, _, _, value in entries), strict=True))

    def run(call: Call, slots: list[Any]) -> Value:
        made = Map()
        made.epoch = call.epoch
        for key, value in pairs:
            made[key] = value(call, slots)
        return made

    return run


def _computed_map(entries: list[tuple[At, Node, Run, Run]], at: At) -> Run:
    rows = tuple((place, key[0] != "str", key_run, value_run) for place, key, key_run, value_run in entries)

    def run(call: Call, slots: list[Any]) -> Value:
        keys, values = [], []
        for _, _, key_run, value_run in rows:
            keys.append(key_run(call, slots))
            values.append(value_run(call, slots))
        for (place, _, _, _), key in zip(rows, keys, strict=True):
            if type(key) is not str:
                raise Failure("type.literal_key", place, type=type_name(key))
        call.charge(sum(read(key) for (_, computed, _, _), key in zip(rows, keys, strict=True) if computed), at)
        made = Map()
        made.epoch = call.epoch
        for (place, _, _, _), key, value in zip(rows, keys, values, strict=True):
            if key in made:
                raise Failure("key.duplicate", place, key=shown(key))
            made[key] = value
        for (place, _, _, _), key in zip(rows, keys, strict=True):
            if len(key) > MAX_KEY:
                raise Failure("limit.map_key", place)
        return made

    return run
