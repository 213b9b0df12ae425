"""IR statements to closures. A statement gives None to go on, `BREAK` or `CONTINUE`, or a tuple of the returned value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from aggregate.engine.pure import access, operators
from aggregate.engine.pure.comprehensions import bind, iterated, locked
from aggregate.engine.pure.expressions import compile_expression, enter_unit, unbound
from aggregate.engine.pure.failure import At, Failure, out_of_gas
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.scope import UNBOUND, BadIR, Node, Run, Scope, integer, sequence, text
from aggregate.engine.pure.value import Value, shown

Signal: TypeAlias = "tuple[Value] | str | None"
Statement: TypeAlias = Callable[[Call, "list[Any]"], Signal]

BREAK: Final = "break"
CONTINUE: Final = "continue"
NOTHING: Final[tuple[Value]] = (None,)
AUGMENTED: Final = ("+", "-", "*", "|")


def compile_block(nodes: Node, scope: Scope) -> Statement:
    scope.enter(2)
    statements = tuple(_statement(node, scope) for node in sequence(nodes))
    scope.leave(2)
    if not statements:
        raise BadIR("an empty block")
    if len(statements) == 1:
        return statements[0]

    def run(call: Call, slots: list[Any]) -> Signal:
        for statement in statements:
            signal = statement(call, slots)
            if signal is not None:
                return signal
        return None

    return run


def compile_body(nodes: Node, scope: Scope) -> Run:
    """The body of a function: gives what it returns."""
    block = compile_block(nodes, scope)

    def run(call: Call, slots: list[Any]) -> Value:
        signal = block(call, slots)
        return None if signal is None else signal[0]

    return run


def _statement(node: Node, scope: Scope) -> Statement:
    tag = sequence(node)[0]
    if tag not in _STATEMENTS:
        raise BadIR(f"unknown statement {tag!r:.80}")
    return _STATEMENTS[tag](node, scope)


def _return(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, value_node = node
    at, value = scope.at(line, column), None if value_node is None else compile_expression(value_node, scope)
    integer(weight)

    def run(call: Call, slots: list[Any]) -> Signal:
        call.left -= weight
        if call.left < 0:
            raise out_of_gas(at, call.limit)
        return NOTHING if value is None else (value(call, slots),)

    return run


def _plain(signal: Signal) -> Callable[[Node, Scope], Statement]:
    def compile_plain(node: Node, scope: Scope) -> Statement:
        _, line, column, weight = node
        at = scope.at(line, column)
        integer(weight)
        if signal is not None and not scope.loops:
            raise BadIR(f"{signal} outside of a loop")

        def run(call: Call, slots: list[Any]) -> Signal:
            enter_unit(call, weight, at)
            return signal

        return run

    return compile_plain


def _expression(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, value_node = node
    at, value = scope.at(line, column), compile_expression(value_node, scope)
    integer(weight)

    def run(call: Call, slots: list[Any]) -> Signal:
        enter_unit(call, weight, at)
        value(call, slots)
        return None

    return run


def _set(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, index, value_node = node
    at, slot, value = scope.at(line, column), scope.slot(index), compile_expression(value_node, scope)
    integer(weight)

    def run(call: Call, slots: list[Any]) -> Signal:
        call.left -= weight
        if call.left < 0:
            raise out_of_gas(at, call.limit)
        slots[slot] = value(call, slots)
        return None

    return run


def _set_field(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, place, target_node, name, value_node = node
    at, write_at = scope.at(line, column), scope.place(place)
    target, value = compile_expression(target_node, scope), compile_expression(value_node, scope)
    integer(weight), text(name)

    def run(call: Call, slots: list[Any]) -> Signal:
        enter_unit(call, weight, at)
        made = value(call, slots)
        access.write_field(call, target(call, slots), name, made, write_at)
        return None

    return run


def _set_index(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, place, target_node, key_node, value_node = node
    at, write_at = scope.at(line, column), scope.place(place)
    target, key, value = (compile_expression(part, scope) for part in (target_node, key_node, value_node))
    integer(weight)

    def run(call: Call, slots: list[Any]) -> Signal:
        enter_unit(call, weight, at)
        made = value(call, slots)
        container = target(call, slots)
        access.write_index(call, container, key(call, slots), made, write_at)
        return None

    return run


def _augmented(op: Node) -> operators.Binary:
    if op not in AUGMENTED:
        raise BadIR(f"unknown operator {op!r:.80}=")
    return operators.BINARY[op]


def _augment_slot(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, op, op_place, index, place, value_node = node
    at, op_at, read_at = scope.at(line, column), scope.place(op_place), scope.place(place)
    slot, value, operate = scope.slot(index), compile_expression(value_node, scope), _augmented(op)
    name = scope.names[slot]
    integer(weight)

    def run(call: Call, slots: list[Any]) -> Signal:
        enter_unit(call, weight, at)
        old: Any = slots[slot]
        if old is UNBOUND:
            raise unbound(name, read_at)
        slots[slot] = operate(call, old, value(call, slots), op_at)
        return None

    return run


def _augment_field(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, op, op_place, place, target_node, name, value_node = node
    at, op_at, target_at = scope.at(line, column), scope.place(op_place), scope.place(place)
    target, value, operate = compile_expression(target_node, scope), compile_expression(value_node, scope), _augmented(op)
    integer(weight), text(name)

    def run(call: Call, slots: list[Any]) -> Signal:
        enter_unit(call, weight, at)
        container = target(call, slots)
        try:
            old = access.field(container, name, target_at)
        except KeyError:
            raise Failure("key.missing", target_at, key=shown(name)) from None
        access.write_field(call, container, name, operate(call, old, value(call, slots), op_at), target_at)
        return None

    return run


def _augment_index(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, op, op_place, place, target_node, key_node, value_node = node
    at, op_at, target_at = scope.at(line, column), scope.place(op_place), scope.place(place)
    target, key, value = (compile_expression(part, scope) for part in (target_node, key_node, value_node))
    operate = _augmented(op)
    integer(weight)

    def run(call: Call, slots: list[Any]) -> Signal:
        enter_unit(call, weight, at)
        container, index = target(call, slots), key(call, slots)
        try:
            old = access.index(call, container, index, target_at)
        except KeyError:
            raise Failure("key.missing", target_at, key=shown(index)) from None
        access.write_index(call, container, index, operate(call, old, value(call, slots), op_at), target_at)
        return None

    return run


def _unpack(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, place, indexes, value_node = node
    at, names_at, targets = scope.at(line, column), scope.place(place), scope.slots(indexes)
    value = compile_expression(value_node, scope)
    integer(weight)

    def run(call: Call, slots: list[Any]) -> Signal:
        enter_unit(call, weight, at)
        bind(slots, targets, value(call, slots), names_at)
        return None

    return run


def _if(node: Node, scope: Scope) -> Statement:
    _, line, column, arm_nodes, else_node = node
    scope.at(line, column)
    arms: list[tuple[int, At, Run, Statement]] = []
    for unit, condition, block in sequence(arm_nodes):
        weight, at = scope.unit(unit)
        arms.append((weight, at, compile_expression(condition, scope), compile_block(block, scope)))
    if not arms:
        raise BadIR("an if without an arm")
    otherwise = None if else_node is None else compile_block(else_node, scope)
    if len(arms) == 1:
        return _if_one(*arms[0], otherwise)

    def run(call: Call, slots: list[Any]) -> Signal:
        for weight, at, test, block in arms:
            enter_unit(call, weight, at)
            if test(call, slots):
                return block(call, slots)
        return otherwise(call, slots) if otherwise is not None else None

    return run


def _if_one(weight: int, at: At, test: Run, block: Statement, otherwise: Statement | None) -> Statement:
    def run(call: Call, slots: list[Any]) -> Signal:
        call.left -= weight
        if call.left < 0:
            raise out_of_gas(at, call.limit)
        if test(call, slots):
            return block(call, slots)
        return otherwise(call, slots) if otherwise is not None else None

    return run


def _for(node: Node, scope: Scope) -> Statement:
    _, line, column, weight, each, indexes, place, iterable_node, names_place, body_node = node
    at, iterable_at, names_at = scope.at(line, column), scope.place(place), scope.place(names_place)
    targets, iterable = scope.slots(indexes), compile_expression(iterable_node, scope)
    integer(weight), integer(each)
    scope.loops += 1
    body = compile_block(body_node, scope)
    scope.loops -= 1
    single = targets[0] if len(targets) == 1 else None

    def run(call: Call, slots: list[Any]) -> Signal:
        enter_unit(call, weight, at)
        value = iterable(call, slots)
        items = iterated(call, value, iterable_at)
        lock, signal = locked(call, value), None
        for item in items:
            call.left -= each
            if call.left < 0:
                raise out_of_gas(at, call.limit)
            if single is not None:
                slots[single] = item
            else:
                bind(slots, targets, item, names_at)
            signal = body(call, slots)
            if signal is not None and signal is not CONTINUE:
                break
        if lock:
            call.unlock(value)
        return signal if type(signal) is tuple else None

    return run


_STATEMENTS: Final[dict[str, Callable[[Node, Scope], Statement]]] = {
    "return": _return,
    "break": _plain(BREAK),
    "continue": _plain(CONTINUE),
    "pass": _plain(None),
    "expr": _expression,
    "set": _set,
    "setfield": _set_field,
    "setindex": _set_index,
    "augset": _augment_slot,
    "augfield": _augment_field,
    "augindex": _augment_index,
    "unpack": _unpack,
    "if": _if,
    "for": _for,
}
