"""IR expressions to closures.

A node with a left operand (`a + b`, `a and b`, `a.b`, `a[b]`, `a.m()`) is compiled along its left spine without recursion, and a long spine
is cut into segments that run one after the other: `1 + 1 + ...` of 20,000 nodes needs no deep stack, in the compiler or at run time.
Quick paths here only repeat what `operators.py` and `access.py` say for the commonest operands.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from aggregate.engine.pure import access, number, operators
from aggregate.engine.pure.arguments import check_arity
from aggregate.engine.pure.builtins import FUNCTIONS, KEYWORDS, METHOD_NAMES, call_function, call_method
from aggregate.engine.pure.failure import At, Failure, out_of_gas
from aggregate.engine.pure.gas import Call, read
from aggregate.engine.pure.number import I64_MAX, I64_MIN
from aggregate.engine.pure.operators import Binary
from aggregate.engine.pure.scope import UNBOUND, BadIR, Node, Run, Scope, integer, sequence, text
from aggregate.engine.pure.value import MAX_KEY, Map, Value, new_list, shown, type_name

SEGMENT: Final = 32
"""Nodes of a left spine that run nested; longer ones run in segments."""
PRODUCT: Final = 2**56
"""Integers below have a product inside of the domain."""
PLAIN: Final[dict[str, tuple[Callable[[int, int], Any], int, int]]] = {
    "+": (operator.add, I64_MIN, I64_MAX),
    "-": (operator.sub, I64_MIN, I64_MAX),
    "*": (operator.mul, -PRODUCT, PRODUCT),
    "<": (operator.lt, I64_MIN, I64_MAX),
    "<=": (operator.le, I64_MIN, I64_MAX),
    ">": (operator.gt, I64_MIN, I64_MAX),
    ">=": (operator.ge, I64_MIN, I64_MAX),
}
"""What Python's own integers do as the language does, between these bounds."""
NULL_RESULTS: Final[dict[str, Value]] = {
    **dict.fromkeys(("+", "-", "*", "/", "//", "%", "|")),
    **dict.fromkeys(("<", "<=", ">", ">="), False),
}
"""What a filter makes of an operator with null on a side."""


def compile_expression(node: Node, scope: Scope) -> Run:
    spine: list[Node] = []
    while type(node) is list and node and node[0] in _SPINE:
        spine.append(node)
        node = node[_SPINE[node[0]][0]]
    frames = 1 + min(len(spine), SEGMENT)
    scope.enter(frames)
    run = _leaf(node, scope)
    segments: list[Run] = []
    for depth, parent in enumerate(reversed(spine), 1):
        run = _SPINE[parent[0]][1](parent, node, run, scope)
        node = parent
        if depth % SEGMENT == 0 and depth < len(spine):
            segments.append(run)
            run, node = _carried, None
    scope.leave(frames)
    return _chained([*segments, run]) if segments else run


def _carried(call: Call, _: list[Any]) -> Value:
    """The value of the segment before; read before anything else of its segment runs."""
    return call.carry


def _chained(segments: list[Run]) -> Run:
    def run(call: Call, slots: list[Any]) -> Value:
        value: Value = None
        for segment in segments:
            call.carry = value
            value = segment(call, slots)
        return value

    return run


def _leaf(node: Node, scope: Scope) -> Run:
    tag = sequence(node)[0]
    if tag not in _LEAVES:
        raise BadIR(f"unknown node {tag!r:.80}")
    try:
        return _LEAVES[tag](node, scope)
    except BadIR:
        raise
    except (ValueError, TypeError, IndexError, ArithmeticError) as error:
        raise BadIR(f"malformed node {tag!r} at {node[1:3]!r:.40}: {error}") from error


def enter_unit(call: Call, weight: int, at: At) -> None:
    """Charge the weight of a unit."""
    call.left -= weight
    if call.left < 0:
        raise out_of_gas(at, call.limit)


def unbound(name: str, at: At) -> Failure:
    return Failure("value.unbound", at, name=shown(name))


# leaves ----------------------------------------------------------------------------------------------------------------------------


def constant(value: Value) -> Run:
    return lambda call, slots: value


def _literal(node: Node, scope: Scope) -> Run:
    tag, line, column = node
    scope.at(line, column)
    return constant(None if tag == "null" else tag == "true")


def _number(node: Node, scope: Scope) -> Run:
    _, line, column, digits = node
    scope.at(line, column)
    return constant(number.from_text(text(digits)))


def _string(node: Node, scope: Scope) -> Run:
    _, line, column, value = node
    scope.at(line, column)
    return constant(text(value))


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


def _const(node: Node, scope: Scope) -> Run:
    _, _, _, index = node
    if integer(index) >= len(scope.consts):
        raise BadIR(f"const {index} of {len(scope.consts)}")
    return constant(scope.consts[index])


def _free(node: Node, scope: Scope) -> Run:
    _, _, _, name = node
    if not scope.free:
        raise BadIR("a free name in a program")
    text(name)

    def run(call: Call, slots: list[Any]) -> Value:
        state = slots[0]
        return state.get(name) if isinstance(state, dict) else None

    return run


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


def _not(node: Node, scope: Scope) -> Run:
    _, line, column, operand = node
    scope.at(line, column)
    inner = compile_expression(operand, scope)
    return lambda call, slots: not inner(call, slots)


def _negate(node: Node, scope: Scope) -> Run:
    _, line, column, operand = node
    at, inner, null_safe = scope.at(line, column), compile_expression(operand, scope), scope.null_safe

    def run(call: Call, slots: list[Any]) -> Value:
        value = inner(call, slots)
        return None if value is None and null_safe else operators.negate(call, value, at)

    return run


def _list(node: Node, scope: Scope) -> Run:
    _, line, column, elements = node
    scope.at(line, column)
    items = tuple(compile_expression(item, scope) for item in sequence(elements))

    def run(call: Call, slots: list[Any]) -> Value:
        return new_list([item(call, slots) for item in items], call.epoch)

    return run


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


def _call(node: Node, scope: Scope) -> Run:
    _, line, column, index, arguments = node
    if integer(index) >= len(scope.functions):
        raise BadIR(f"a call of function {index}, only {len(scope.functions)} stand above")
    function, at = scope.functions[index], scope.at(line, column)
    args = tuple(compile_expression(argument, scope) for argument in sequence(arguments))
    params, body, rest = function.params, function.body, [UNBOUND] * (function.slots - function.params)
    scope.note_call(function)

    def run(call: Call, slots: list[Any]) -> Value:
        values: list[Any] = [argument(call, slots) for argument in args]
        if len(values) != params:
            check_arity("arity.function", function.name, (params, params), len(values), at)
        values += rest
        return body(call, values)

    return run


def _function(node: Node, scope: Scope) -> Run:
    _, line, column, name, arguments, keywords = node
    if name not in FUNCTIONS:
        raise BadIR(f"unknown function {name!r:.80}")
    at = scope.at(line, column)
    args, named = _arguments(arguments, keywords, scope)
    allowed = KEYWORDS.get(name, () if name not in ("event", "reject") else None)
    if allowed is not None and any(keyword not in allowed for keyword, _ in named):
        raise BadIR(f"{name} takes no such keyword")
    minimum, maximum = FUNCTIONS[name][1]
    if not named and minimum <= len(args) and (maximum is None or len(args) <= maximum):
        function = FUNCTIONS[name][0]
        nothing: dict[str, Value] = {}

        def direct(call: Call, slots: list[Any]) -> Value:
            return function(call, [argument(call, slots) for argument in args], nothing, at)

        return direct

    def run(call: Call, slots: list[Any]) -> Value:
        values = [argument(call, slots) for argument in args]
        return call_function(call, name, values, {keyword: value(call, slots) for keyword, value in named}, at)

    return run


def _arguments(arguments: Node, keywords: Node, scope: Scope) -> tuple[tuple[Run, ...], tuple[tuple[str, Run], ...]]:
    args = tuple(compile_expression(argument, scope) for argument in sequence(arguments))
    named = tuple((text(name), compile_expression(value, scope)) for name, value in sequence(keywords))
    if len({name for name, _ in named}) != len(named):
        raise BadIR("a keyword stands twice")
    return args, named


# nodes with a left operand ---------------------------------------------------------------------------------------------------------


def _field(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    _, line, column, _, name = node
    at, null_safe = scope.at(line, column), scope.null_safe
    text(name)

    def slow(value: Value) -> Value:
        if value is None and null_safe:
            return None
        try:
            return access.field(value, name, at)
        except KeyError:
            if null_safe:
                return None
            raise Failure("key.missing", at, key=shown(name)) from None

    if left_node is not None and left_node[0] == "local" and left_node[3] < scope.bound:
        slot = left_node[3]

        def run_local(call: Call, slots: list[Any]) -> Value:
            try:
                return slots[slot][name]
            except (KeyError, TypeError):
                return slow(slots[slot])

        return run_local

    def run(call: Call, slots: list[Any]) -> Value:
        value = left(call, slots)
        try:
            return value[name]
        except (KeyError, TypeError):
            return slow(value)

    return run


def _index(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    _, line, column, _, key_node = node
    at, null_safe, key_run = scope.at(line, column), scope.null_safe, compile_expression(key_node, scope)

    def run(call: Call, slots: list[Any]) -> Value:
        value, key = left(call, slots), key_run(call, slots)
        if value is None and null_safe:
            return None
        try:
            return access.index(call, value, key, at)
        except KeyError:
            if null_safe:
                return None
            raise Failure("key.missing", at, key=shown(key)) from None

    return run


def _slice(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    _, line, column, _, start_node, stop_node = node
    at, null_safe = scope.at(line, column), scope.null_safe
    ends = tuple(constant(...) if end is None else compile_expression(end, scope) for end in (start_node, stop_node))

    def run(call: Call, slots: list[Any]) -> Value:
        value = left(call, slots)
        bounds = tuple([end(call, slots) for end in ends])
        return None if value is None and null_safe else access.cut(call, value, bounds, at)

    return run


def _method(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    _, line, column, _, name, arguments, keywords = node
    if name not in METHOD_NAMES:
        raise BadIR(f"unknown method {name!r:.80}")
    at, null_safe = scope.at(line, column), scope.null_safe
    args, named = _arguments(arguments, keywords, scope)
    if named and name != "format":
        raise BadIR(f".{name} takes no keyword")

    def run(call: Call, slots: list[Any]) -> Value:
        receiver = left(call, slots)
        values = [argument(call, slots) for argument in args]
        given = {keyword: value(call, slots) for keyword, value in named} if named else {}
        if receiver is None and null_safe:
            return None
        return call_method(call, receiver, name, values, given, at)

    return run


def _and(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    right, weight, at = _right_side(node, scope)

    def run(call: Call, slots: list[Any]) -> Value:
        value = left(call, slots)
        if not value:
            return value
        enter_unit(call, weight, at)
        return right(call, slots)

    return run


def _or(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    right, weight, at = _right_side(node, scope)

    def run(call: Call, slots: list[Any]) -> Value:
        value = left(call, slots)
        if value:
            return value
        enter_unit(call, weight, at)
        return right(call, slots)

    return run


def _right_side(node: Node, scope: Scope) -> tuple[Run, int, At]:
    _, line, column, _, unit, right = node
    scope.at(line, column)
    return compile_expression(right, scope), *scope.unit(unit)


def _binary(node: Node, left_node: Node, left: Run, scope: Scope) -> Run:
    _, line, column, op, _, right_node = node
    if op not in operators.BINARY:
        raise BadIR(f"unknown operator {op!r:.80}")
    at, right = scope.at(line, column), compile_expression(right_node, scope)
    if scope.null_safe:
        return _null_safe(op, left, right, at)
    if op in ("==", "!="):
        return _equality(op == "!=", left, right, right_node, at)
    return binary(op, left, right, at)


def binary(op: str, left: Run, right: Run, at: At) -> Run:
    full: Binary = operators.BINARY[op]
    if op not in PLAIN:
        return lambda call, slots: full(call, left(call, slots), right(call, slots), at)
    plain, low, high = PLAIN[op]

    def run(call: Call, slots: list[Any]) -> Value:
        a, b = left(call, slots), right(call, slots)
        if type(a) is int and type(b) is int and low <= a <= high and low <= b <= high:
            return plain(a, b)
        return full(call, a, b, at)

    return run


def _equality(negated: bool, left: Run, right: Run, right_node: Node, at: At) -> Run:
    full: Binary = operators.BINARY["!=" if negated else "=="]
    if right_node[0] != "str":
        return lambda call, slots: full(call, left(call, slots), right(call, slots), at)
    literal, cost = right_node[3], read(right_node[3])

    def run(call: Call, slots: list[Any]) -> Value:
        a = left(call, slots)
        call.left -= cost + (len(a) >> 4) if type(a) is str else cost
        if call.left < 0:
            raise out_of_gas(at, call.limit)
        return (a == literal) is not negated

    return run


def _null_safe(op: str, left: Run, right: Run, at: At) -> Run:
    full: Binary = operators.BINARY[op]

    def run(call: Call, slots: list[Any]) -> Value:
        a, b = left(call, slots), right(call, slots)
        if op in NULL_RESULTS:
            if a is None or b is None:
                return NULL_RESULTS[op]
        elif b is None and op in ("in", "not in"):
            return op == "not in"
        return full(call, a, b, at)

    return run


_LEAVES: Final[dict[str, Callable[[Node, Scope], Run]]] = {
    "null": _literal,
    "true": _literal,
    "false": _literal,
    "num": _number,
    "str": _string,
    "local": _local,
    "const": _const,
    "free": _free,
    "if": _conditional,
    "not": _not,
    "neg": _negate,
    "list": _list,
    "map": _map,
    "call": _call,
    "fn": _function,
}
_SPINE: Final[dict[str, tuple[int, Callable[[Node, Node, Run, Scope], Run]]]] = {
    "field": (3, _field),
    "index": (3, _index),
    "slice": (3, _slice),
    "method": (3, _method),
    "and": (3, _and),
    "or": (3, _or),
    "bin": (4, _binary),
}


def register(tag: str, compile_leaf: Callable[[Node, Scope], Run]) -> None:
    """Comprehensions live in their own file and need expressions themselves."""
    _LEAVES[tag] = compile_leaf
