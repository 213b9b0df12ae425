"""Every expression of a piece of the syntax tree, without recursion over operators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    If,
    Index,
    ListDisplay,
    Logic,
    MapDisplay,
    Method,
    Return,
    Slice,
    Statement,
    Tuple,
    Unary,
)


def parts(node: Expression) -> list[Expression]:
    """The expressions directly in an expression, in the order of the text."""
    match node:
        case Field():
            return [node.target]
        case Index():
            return [node.target, node.key]
        case Slice():
            return [part for part in (node.target, node.low, node.high) if part is not None]
        case Binary() | Logic():
            return [node.left, node.right]
        case Unary():
            return [node.operand]
        case Conditional():
            return [node.then, node.condition, node.otherwise]
        case ListDisplay() | Tuple():
            return [*node.items]
        case MapDisplay():
            return [part for entry in node.entries for part in entry]
        case Comprehension():
            heads = [clause.iterable if isinstance(clause, ForClause) else clause.condition for clause in node.clauses]
            return [*([node.key] if node.key is not None else []), node.value, *heads]
        case Call():
            return [node.callee, *node.args, *(keyword.value for keyword in node.keywords)]
        case Method():
            return [node.target, *node.args, *(keyword.value for keyword in node.keywords)]
        case Group():
            return [node.inner]
        case _:
            return []


def within(roots: Iterable[Expression]) -> Iterator[Expression]:
    """All expressions in and under `roots`, in the order of the text."""
    stack = [*roots][::-1]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(parts(node)))


def statements(body: Iterable[Statement]) -> Iterator[Statement]:
    """All statements of a body, nested ones too; the layout bounds how deep they go."""
    for statement in body:
        yield statement
        if isinstance(statement, For):
            yield from statements(statement.body)
        elif isinstance(statement, If):
            for _, arm in statement.arms:
                yield from statements(arm)
            yield from statements(statement.otherwise or ())


def roots(statement: Statement) -> list[Expression]:
    """The expressions that a statement reads itself: of an assigned field or element the parts, of an assigned name nothing."""
    match statement:
        case Return():
            return [statement.value] if statement.value is not None else []
        case ExpressionStatement():
            return [statement.value]
        case Assign():
            return [statement.value, *parts(statement.target)] if not isinstance(statement.target, Tuple) else [statement.value]
        case Augment():
            return [*parts(statement.target), statement.value]
        case For():
            return [statement.iterable]
        case If():
            return [condition for condition, _ in statement.arms]
        case _:
            return []


def expressions(body: Iterable[Statement]) -> Iterator[Expression]:
    """Every expression of a body that is read."""
    for statement in statements(body):
        yield from within(roots(statement))
