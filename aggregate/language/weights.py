"""Unit weights: the static part of gas (`docs/language.md`, section 7), computed here and nowhere else.

A unit is a piece of code that is entered as a whole; its weight is the sum over the nodes in it that are in no nested unit.
"""

from __future__ import annotations

from collections.abc import Iterable

from aggregate.language.tree import (
    Assign,
    Augment,
    Binary,
    Call,
    Comprehension,
    Conditional,
    Expression,
    ExpressionStatement,
    Field,
    For,
    ForClause,
    Group,
    Index,
    ListDisplay,
    Logic,
    MapDisplay,
    Method,
    Name,
    Return,
    Slice,
    Statement,
    Tuple,
    Unary,
)
from aggregate.language.vocabulary import FUNCTIONS

_STATEMENT = 1
_NODE = 1
_READ_AND_OPERATE = 2
_ITERATION = 2
_OWN_CALL = 10
_BUILTIN_CALL = 4


def weigh(expressions: Iterable[Expression | None]) -> int:
    """Weight of expressions that stand in one unit together. Not recursive: a chain of operators may be long."""
    weight = 0
    stack = [expression for expression in expressions if expression is not None]
    while stack:
        node = stack.pop()
        if type(node) is Group:
            stack.append(node.inner)
            continue
        weight += _NODE
        if type(node) is Field:
            stack.append(node.target)
        elif type(node) is Index:
            stack += (node.target, node.key)
        elif type(node) is Slice:
            stack += [part for part in (node.target, node.low, node.high) if part is not None]
        elif type(node) is Binary:
            stack += (node.left, node.right)
        elif type(node) is Logic:
            stack.append(node.left)
        elif type(node) is Unary:
            stack.append(node.operand)
        elif type(node) is Conditional:
            stack.append(node.condition)
        elif type(node) is ListDisplay:
            weight += 4 + len(node.items)
            stack += node.items
        elif type(node) is MapDisplay:
            weight += 8 + 2 * len(node.entries)
            for entry in node.entries:
                stack += entry
        elif type(node) is Comprehension:
            first = node.clauses[0]
            assert type(first) is ForClause
            stack.append(first.iterable)
        elif type(node) is Call:
            own = type(node.callee) is Name and node.callee.name not in FUNCTIONS
            weight += _OWN_CALL if own else _BUILTIN_CALL
            stack += node.args
            stack += [keyword.value for keyword in node.keywords]
        elif type(node) is Method:
            weight += _BUILTIN_CALL
            stack.append(node.target)
            stack += node.args
            stack += [keyword.value for keyword in node.keywords]
    return weight


def weigh_statement(statement: Statement) -> int:
    """Weight of a simple statement, or of the header of a `for`."""
    if type(statement) is Return or type(statement) is ExpressionStatement:
        return _STATEMENT + weigh([statement.value])
    if type(statement) is For:
        return _STATEMENT + weigh([statement.iterable])
    if type(statement) is Assign:
        return _STATEMENT + _weigh_target(statement.target) + weigh([statement.value])
    if type(statement) is Augment:
        return _STATEMENT + _READ_AND_OPERATE + _weigh_target(statement.target) + weigh([statement.value])
    return _STATEMENT


def weigh_iteration(names: int, later: Expression | None = None) -> int:
    """Weight of one iteration over `names` variables; `later` is the iterable of the clause that follows."""
    return _ITERATION + _unpacked(names) + weigh([later])


def _weigh_target(target: Expression) -> int:
    """An assigned field or element is a node, an assigned name is none, each name of an unpacking is."""
    if type(target) is Name:
        return 0
    if type(target) is Tuple:
        return _unpacked(len(target.items))
    return weigh([target])


def _unpacked(names: int) -> int:
    return names if names > 1 else 0
