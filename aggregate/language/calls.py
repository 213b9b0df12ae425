"""Calls of own functions, built-ins and methods: which they are, and whether their keywords are known.

Generators like the methods of `Expressions` (see there), of which these take one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, TypeAlias

from aggregate.language.ir import Node
from aggregate.language.names import hint
from aggregate.language.tree import Call, Expression, Keyword, Method, Name
from aggregate.language.vocabulary import FUNCTIONS, METHODS

if TYPE_CHECKING:
    from aggregate.language.expressions import Expressions

Steps: TypeAlias = "Generator[Expression, Node, Node]"


def each(nodes: Iterable[Expression]) -> Generator[Expression, Node, list[Node]]:
    """The IR of each node, in order."""
    values: list[Node] = []
    for node in nodes:
        value = yield node
        values.append(value)
    return values


def call(resolver: Expressions, node: Call) -> Steps:
    """`name(...)`."""
    resolver.not_in_const(node.start, "a call")
    callee = node.callee
    if type(callee) is not Name:
        yield callee
        resolver.mistake("unsupported.callee", node.start)
        return ["null", *node.start]
    resolver.enter(node.start)
    args, keywords = yield from _arguments(node.args, node.keywords)
    resolver.leave()
    own = _own(resolver, callee)
    if own is not None:
        _check_keywords(resolver, callee.name, node.keywords, frozenset())
        return ["call", *node.start, own, args]
    if callee.name in FUNCTIONS:
        _check_keywords(resolver, callee.name, node.keywords, FUNCTIONS[callee.name])
    return ["fn", *node.start, callee.name, args, keywords]


def method(resolver: Expressions, node: Method) -> Steps:
    """`target.name(...)`."""
    resolver.not_in_const(node.at, "a method")
    target = yield node.target
    resolver.enter(node.at)
    args, keywords = yield from _arguments(node.args, node.keywords)
    resolver.leave()
    if node.name in METHODS:
        _check_keywords(resolver, node.name, node.keywords, METHODS[node.name])
    else:
        resolver.mistake("name.method", node.at, name=node.name, hint=hint(node.name, METHODS, len(resolver.mistakes)))
    return ["method", *node.at, target, node.name, args, keywords]


def _own(resolver: Expressions, callee: Name) -> int | None:
    """Index of the own function that is called; None for a built-in, or where the call is a mistake."""
    name, names = callee.name, resolver.names
    if name in FUNCTIONS:
        if name == "reject":
            resolver.calls.append((name, callee.start))
        if name in {"reject", "event"} and names.kind != "program":
            resolver.mistake("unsupported.outcome", callee.start, name=name, kind=names.kind)
        return None
    index = names.functions.get(name)
    if index is not None:
        resolver.calls.append((name, callee.start))
    elif name in names.all_functions:
        resolver.mistake("recursion.call", callee.start, name=name)
    else:
        known = [*FUNCTIONS, *names.functions]
        resolver.mistake("name.call", callee.start, name=name, hint=hint(name, known, len(resolver.mistakes)))
    return index


def _arguments(args: tuple[Expression, ...], keywords: tuple[Keyword, ...]) -> Generator[Expression, Node, tuple[list[Node], list[Node]]]:
    values = yield from each(args)
    named = yield from each(keyword.value for keyword in keywords)
    return values, [[keyword.name, value] for keyword, value in zip(keywords, named, strict=True)]


def _check_keywords(resolver: Expressions, function: str, keywords: tuple[Keyword, ...], known: frozenset[str] | None) -> None:
    seen: set[str] = set()
    for keyword in keywords:
        if keyword.name in seen:
            resolver.mistake("duplicate.keyword", keyword.start, name=keyword.name, function=function)
        seen.add(keyword.name)
        if function == "event" and keyword.name == "type":
            resolver.mistake("unsupported.event_type", keyword.start)
        elif known is not None and keyword.name not in known:
            takes = "takes the keywords " + ", ".join(sorted(known)) if known else "takes no keywords"
            resolver.mistake("unsupported.keyword", keyword.start, name=keyword.name, function=function, takes=takes)
