"""Statements of one function: from the tree to the IR. Blocks recurse; the layout bounds how deep they go."""

from __future__ import annotations

from aggregate.language.expressions import Expressions
from aggregate.language.ir import Node
from aggregate.language.tree import (
    Assign,
    Augment,
    Expression,
    ExpressionStatement,
    Field,
    For,
    Group,
    If,
    Index,
    Jump,
    Name,
    Return,
    Statement,
    Tuple,
    bare,
)
from aggregate.language.weights import weigh_iteration, weigh_statement


class Statements:
    """Resolves the body of a function."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self._loops = 0

    def suite(self, statements: tuple[Statement, ...]) -> Node:
        """The IR of a block: one level of nesting."""
        self._expressions.enter(statements[0].start)
        nodes: list[Node] = [self._statement(statement) for statement in statements]
        self._expressions.leave()
        return nodes

    def _statement(self, node: Statement) -> Node:
        self._expressions.count(node.start)
        if type(node) is If:
            return self._if(node)
        weight = weigh_statement(node)
        if type(node) is Return:
            value = self._expressions.resolve(node.value) if node.value is not None else None
            return ["return", *node.start, weight, value]
        if type(node) is ExpressionStatement:
            return ["expr", *node.start, weight, self._expressions.resolve(node.value)]
        if type(node) is Assign:
            return self._assign(node, weight)
        if type(node) is Augment:
            return self._augment(node, weight)
        if type(node) is For:
            return self._for(node, weight)
        if type(node) is Jump:
            if node.word != "pass" and not self._loops:
                self._expressions.mistake("syntax.outside_loop", node.start, word=node.word)
            return [node.word, *node.start, weight]
        self._expressions.mistake("unsupported.nested_def", node.start)
        return ["pass", *node.start, weight]

    def _if(self, node: If) -> Node:
        arms: list[Node] = []
        for condition, body in node.arms:
            unit = self._expressions.unit(condition)
            arms.append([unit, self._expressions.resolve(condition), self.suite(body)])
        return ["if", *node.start, arms, self.suite(node.otherwise) if node.otherwise is not None else None]

    def _for(self, node: For, weight: int) -> Node:
        iterable = self._expressions.resolve(node.iterable)
        slots: list[Node] = [self._slot(name) for name in node.names]
        self._loops += 1
        body = self.suite(node.body)
        self._loops -= 1
        each = weigh_iteration(len(node.names))
        place: list[Node] = [*bare(node.iterable).start]
        return ["for", *node.start, weight, each, slots, place, iterable, [*node.names[0].start], body]

    def _assign(self, node: Assign, weight: int) -> Node:
        value = self._expressions.resolve(node.value)
        target = node.target
        if type(target) is Name:
            return ["set", *node.start, weight, self._slot(target), value]
        if type(target) is Field:
            return ["setfield", *node.start, weight, [*target.at], self._expressions.resolve(target.target), target.name, value]
        if type(target) is Index:
            return ["setindex", *node.start, weight, [*target.at], *self._element(target), value]
        if type(target) is Tuple and target.plain and all(type(item) is Name for item in target.items):
            slots: list[Node] = [self._slot(name) for name in target.items if type(name) is Name]
            return ["unpack", *node.start, weight, [*target.start], slots, value]
        self._no_target(target)
        return ["expr", *node.start, weight, value]

    def _augment(self, node: Augment, weight: int) -> Node:
        target = node.target
        op: Node = node.op
        at: list[Node] = [*node.at]
        if type(target) is Name:
            value = self._expressions.resolve(node.value)
            return ["augset", *node.start, weight, op, at, self._slot(target), [*target.start], value]
        if type(target) is Field:
            container = self._expressions.resolve(target.target)
            value = self._expressions.resolve(node.value)
            return ["augfield", *node.start, weight, op, at, [*target.at], container, target.name, value]
        if type(target) is Index:
            container, key = self._element(target)
            value = self._expressions.resolve(node.value)
            return ["augindex", *node.start, weight, op, at, [*target.at], container, key, value]
        if type(target) is Tuple:
            self._expressions.mistake("syntax.augment_target", node.at, op=node.op + "=")
        else:
            self._no_target(target)
        return ["expr", *node.start, weight, self._expressions.resolve(node.value)]

    def _element(self, target: Index) -> tuple[Node, Node]:
        """Container and key of an assigned element."""
        container = self._expressions.resolve(target.target)
        self._expressions.enter(target.at)
        key = self._expressions.resolve(target.key)
        self._expressions.leave()
        return container, key

    def _slot(self, name: Name) -> int:
        assert self._expressions.scope is not None
        slot = self._expressions.scope.slot(name.name)
        assert slot is not None
        return slot

    def _no_target(self, target: Expression) -> None:
        """What cannot be assigned to: a tuple of things that could be is a construct that is missing, the rest no construct at all."""
        stack: list[Expression] = [target]
        while stack:
            node = stack.pop()
            if type(node) is Tuple and node.items:
                stack += node.items
            elif type(node) is Group:
                stack.append(node.inner)
            elif type(node) not in {Name, Field, Index}:
                self._expressions.mistake("syntax.target", node.start)
                return
        if type(target) is Tuple:
            self._expressions.mistake("unsupported.unpacking", target.start)
        else:
            self._expressions.mistake("syntax.target", target.start)
