"""Warnings: what compiles, but is probably not meant. Event types on one side of `decide` and `apply` only, and names nobody reads."""

from __future__ import annotations

from collections.abc import Iterator

from aggregate.language.scope import assigned
from aggregate.language.tree import (
    At,
    Binary,
    Call,
    Comprehension,
    Const,
    Expression,
    Field,
    ForClause,
    Function,
    Index,
    ListDisplay,
    MapDisplay,
    Method,
    Name,
    Program,
    String,
    bare,
)
from aggregate.language.walk import expressions, within

Finding = tuple[str, At, "str | None", dict[str, object]]
"""Key of the message, place, function, parameters."""
_ENTRIES = ("decide", "apply")
_COMPARES = frozenset(("==", "!=", "in", "not in"))


def warnings(program: Program) -> Iterator[Finding]:
    """The warnings of a program that compiles."""
    functions = {item.name: item for item in program.items if isinstance(item, Function)}
    consts = {item.name: item for item in program.items if isinstance(item, Const)}
    yield from _unused(functions, consts)
    decide, apply = functions.get("decide"), functions.get("apply")
    if decide is not None and apply is not None:
        yield from _events(_reached(decide, functions), _reached(apply, functions), consts)


def _unused(functions: dict[str, Function], consts: dict[str, Const]) -> Iterator[Finding]:
    read: set[str] = set()
    called: set[str] = set()
    for const in consts.values():
        read.update(node.name for node in within([const.value]) if isinstance(node, Name))
    for function in functions.values():
        callees = [node.callee for node in expressions(function.body) if isinstance(node, Call)]
        called.update(callee.name for callee in callees if isinstance(callee, Name))
        values = _values(function, callees)
        read |= values
        yield from _unused_locals(function, values)
    for const in consts.values():
        if const.name not in read and not const.name.startswith("_"):
            yield "warning.const", const.start, None, {"name": const.name}
    for function in functions.values():
        if function.name not in called and function.name not in _ENTRIES:
            yield "warning.function", function.at, function.name, {"name": function.name}


def _values(function: Function, callees: list[Expression]) -> set[str]:
    """Names that are read as values; the name before a call's parenthesis is none."""
    called = set(map(id, callees))
    return {node.name for node in expressions(function.body) if isinstance(node, Name) and id(node) not in called}


def _unused_locals(function: Function, read: set[str]) -> Iterator[Finding]:
    seen: set[str] = set()
    if function.name not in _ENTRIES:
        for parameter in function.parameters:
            if parameter.name not in read and not parameter.name.startswith("_"):
                yield "warning.parameter", parameter.start, function.name, {"name": parameter.name}
    seen.update(parameter.name for parameter in function.parameters)
    for name in assigned(function.body):
        if name.name not in read and name.name not in seen and not name.name.startswith("_"):
            yield "warning.local", name.start, function.name, {"name": name.name}
        seen.add(name.name)
    for node in expressions(function.body):
        if isinstance(node, Comprehension):
            yield from _unused_variables(node, function.name, read)


def _unused_variables(node: Comprehension, function: str, read: set[str]) -> Iterator[Finding]:
    for clause in node.clauses:
        if isinstance(clause, ForClause):
            for name in clause.names:
                if name.name not in read and not name.name.startswith("_"):
                    yield "warning.local", name.start, function, {"name": name.name}


def _reached(entry: Function, functions: dict[str, Function]) -> list[Function]:
    """The entry and every function it may call."""
    found = {entry.name: entry}
    waiting = [entry]
    while waiting:
        for node in expressions(waiting.pop().body):
            if isinstance(node, Call) and isinstance(node.callee, Name):
                name = node.callee.name
                if name in functions and name not in found:
                    found[name] = functions[name]
                    waiting.append(functions[name])
    return list(found.values())


def _events(deciding: list[Function], applying: list[Function], consts: dict[str, Const]) -> Iterator[Finding]:
    """Types that only one side knows. Where a side computes a type, nothing is said of the other."""
    emitted: dict[str, tuple[At, str]] = {}
    handled: dict[str, tuple[At, str]] = {}
    sure_emitted = [_emitted(function, emitted) for function in deciding]
    sure_handled = [_handled(function, handled, consts) for function in applying]
    if all(sure_handled):
        for name in emitted.keys() - handled.keys():
            at, function = emitted[name]
            yield "warning.not_applied", at, function, {"type": name}
    if all(sure_emitted):
        for name in handled.keys() - emitted.keys():
            at, function = handled[name]
            yield "warning.not_decided", at, function, {"type": name}


def _emitted(function: Function, found: dict[str, tuple[At, str]]) -> bool:
    """Notes the types of events that a function makes; False when it makes one whose type is computed."""
    known = True
    for node in expressions(function.body):
        made: Expression | None = None
        if isinstance(node, Call) and isinstance(node.callee, Name) and node.callee.name == "event" and node.args:
            made = bare(node.args[0])
        elif isinstance(node, MapDisplay):
            made = next((bare(value) for key, value in node.entries if _is_type(bare(key))), None)
        if isinstance(made, String):
            found.setdefault(made.text, (made.start, function.name))
        elif made is not None:
            known = False
    return known


def _is_type(key: Expression) -> bool:
    return isinstance(key, String) and key.text == "type"


def _handled(function: Function, found: dict[str, tuple[At, str]], consts: dict[str, Const]) -> bool:
    """Notes what a function compares the `type` of an event with; False when it uses that type otherwise.

    The event is the second parameter of `apply`; in a helper any parameter may be it.
    """
    names = [parameter.name for parameter in function.parameters]
    events = set(names[1:2] if function.name == "apply" else names)
    compared: set[int] = set()
    types: list[Expression] = []
    for node in expressions(function.body):
        if _is_type_of(node, events):
            types.append(node)
        elif isinstance(node, Binary) and node.op in _COMPARES:
            for side, other in ((bare(node.left), bare(node.right)), (bare(node.right), bare(node.left))):
                if _is_type_of(side, events) and _names(other, function.name, found, consts):
                    compared.add(id(side))
    return all(id(node) in compared for node in types)


def _is_type_of(node: Expression, events: set[str]) -> bool:
    """`event.type`, `event["type"]`, `event.get("type")`."""
    if isinstance(node, Field):
        asked = node.name == "type"
    elif isinstance(node, Index):
        asked = _is_type(bare(node.key))
    else:
        asked = isinstance(node, Method) and node.name == "get" and bool(node.args) and _is_type(bare(node.args[0]))
    if not asked:
        return False
    target = bare(node.target)  # type: ignore[union-attr]
    return isinstance(target, Name) and target.name in events


def _names(value: Expression, function: str, found: dict[str, tuple[At, str]], consts: dict[str, Const]) -> bool:
    """Notes the strings of a literal, a list of literals or a const of such."""
    if isinstance(value, Name) and value.name in consts:
        value = bare(consts[value.name].value)
    items = [bare(item) for item in value.items] if isinstance(value, ListDisplay) else [value]
    for item in items:
        if not isinstance(item, String):
            return False
        found.setdefault(item.text, (item.start, function))
    return True
