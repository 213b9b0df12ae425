"""A whole source: consts, functions in order, the call graph, the rules for `decide` and `apply`; the result is the document of the IR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aggregate.language.consts import Evaluation
from aggregate.language.expressions import Expressions
from aggregate.language.ir import Document, Node
from aggregate.language.mistakes import Mistakes
from aggregate.language.names import Names
from aggregate.language.scope import Scope, assigned
from aggregate.language.statements import Statements
from aggregate.language.tree import At, Const, Expression, Function, Name, Program
from aggregate.language.vocabulary import FUNCTIONS, MAX_FUNCTIONS, MAX_NODES

LANGUAGE: Final = "agl-1"
_GIVEN: Final = ("state", "meta")
"""Names that a filter or expression has from the start."""
_ENTRIES: Final = {"decide": "state, command[, ctx]", "apply": "state, event[, meta]"}


def resolve_expression(value: Expression, kind: str, digest: str, mistakes: Mistakes) -> Document:
    """The IR of a filter or expression; what is wrong is noted in `mistakes`."""
    scope = Scope(mistakes, None, _GIVEN, "reserved", _GIVEN)
    expressions = Expressions(mistakes, Names(kind), scope, None, [MAX_NODES])
    node = expressions.resolve(value)
    locals_: list[Node] = [*scope.names]
    return {
        "digest": digest,
        "expr": node,
        "kind": kind,
        "language": LANGUAGE,
        "locals": locals_,
        "unit": expressions.unit(value),
        "v": 1,
    }


@dataclass(frozen=True, slots=True)
class _Calls:
    """What one function calls, and how it can come to `reject`: the names on the way, empty if it cannot."""

    made: list[tuple[str, At]]
    rejects: tuple[str, ...]


def resolve_program(program: Program, digest: str, mistakes: Mistakes) -> Document:
    """The IR of a program; what is wrong is noted in `mistakes`."""
    names = Names("program")
    names.all_consts = frozenset(item.name for item in program.items if type(item) is Const)
    names.all_functions = frozenset(item.name for item in program.items if type(item) is Function)
    budget = [MAX_NODES]
    evaluation = Evaluation(mistakes)
    consts: list[Node] = []
    functions: list[Node] = []
    calls: dict[str, _Calls] = {}
    for item in program.items:
        if isinstance(item, Const):
            unit, value = _const(item, names, mistakes, budget)
            consts.append([item.name, unit, value])
            evaluation.add(unit, value)
            if item.name in names.consts:
                mistakes.add("duplicate.const", item.start, name=item.name)
            names.consts.setdefault(item.name, len(consts) - 1)
            continue
        if len(functions) == MAX_FUNCTIONS:
            raise mistakes.stop("too_big.functions", item.at, item.name, limit=MAX_FUNCTIONS)
        if item.name in names.functions or item.name in FUNCTIONS:
            key = "duplicate.builtin" if item.name in FUNCTIONS else "duplicate.function"
            mistakes.add(key, item.at, item.name, name=item.name)
        node, made = _function(item, names, mistakes, budget)
        calls[item.name] = _Calls(made, _way_to_reject(made, calls))
        functions.append(node)
        names.functions.setdefault(item.name, len(functions) - 1)
    if "apply" in calls:
        _check_apply(calls, mistakes)
    return {
        "apply": names.functions.get("apply"),
        "consts": consts,
        "decide": names.functions.get("decide"),
        "digest": digest,
        "functions": functions,
        "kind": "program",
        "language": LANGUAGE,
        "v": 1,
    }


def _const(const: Const, names: Names, mistakes: Mistakes, budget: list[int]) -> tuple[Node, Node]:
    expressions = Expressions(mistakes, names, None, None, budget)
    value = expressions.resolve(const.value)
    return expressions.unit(const.value), value


def _function(function: Function, names: Names, mistakes: Mistakes, budget: list[int]) -> tuple[Node, list[tuple[str, At]]]:
    scope = Scope(mistakes, function.name, names.all_consts, "local")
    seen: set[str] = set()
    for parameter in function.parameters:
        if parameter.problem:
            mistakes.add(f"unsupported.{parameter.problem}", parameter.start, function.name, name=parameter.name)
        elif parameter.name in seen:
            mistakes.add("duplicate.parameter", parameter.start, function.name, name=parameter.name)
        seen.add(parameter.name)
        scope.declare(Name(parameter.start, parameter.name))
    wanted = _ENTRIES.get(function.name)
    if wanted is not None and len(function.parameters) not in {2, 3}:
        actual = len(function.parameters)
        mistakes.add("unsupported.parameters", function.at, function.name, name=function.name, wanted=wanted, actual=actual)
    for name in assigned(function.body):
        scope.declare(name)
    expressions = Expressions(mistakes, names, scope, function.name, budget)
    body = Statements(expressions).suite(function.body)
    locals_: list[Node] = [*scope.names]
    line, column = function.start
    node: Node = {
        "body": body,
        "column": column,
        "line": line,
        "locals": locals_,
        "name": function.name,
        "params": len(function.parameters),
    }
    return node, expressions.calls


def _way_to_reject(made: list[tuple[str, At]], calls: dict[str, _Calls]) -> tuple[str, ...]:
    for name, _ in made:
        if name == "reject":
            return ("reject",)
        if name in calls and calls[name].rejects:
            return (name, *calls[name].rejects)
    return ()


def _check_apply(calls: dict[str, _Calls], mistakes: Mistakes) -> None:
    """`apply` runs over history, which cannot be refused any more."""
    for name, at in calls["apply"].made:
        if name == "reject":
            mistakes.add("unsupported.reject_in_apply", at, "apply", way=name)
        elif name in calls and calls[name].rejects:
            way = " -> ".join((name, *calls[name].rejects))
            mistakes.add("unsupported.reject_in_apply", at, "apply", way=way)
