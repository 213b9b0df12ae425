"""Calls: own functions, built-in functions, methods."""

from __future__ import annotations

from typing import Any

from aggregate.engine.pure.arguments import check_arity
from aggregate.engine.pure.builtins import FUNCTIONS, KEYWORDS, METHOD_NAMES, call_function, call_method
from aggregate.engine.pure.expressions import compile_expression, leaf, link
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.scope import UNBOUND, BadIR, Node, Run, Scope, integer, sequence, text
from aggregate.engine.pure.value import Value


@leaf("call")
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


@leaf("fn")
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


@link("method")
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


def _arguments(arguments: Node, keywords: Node, scope: Scope) -> tuple[tuple[Run, ...], tuple[tuple[str, Run], ...]]:
    args = tuple(compile_expression(argument, scope) for argument in sequence(arguments))
    named = tuple((text(name), compile_expression(value, scope)) for name, value in sequence(keywords))
    if len({name for name, _ in named}) != len(named):
        raise BadIR("a keyword stands twice")
    return args, named
