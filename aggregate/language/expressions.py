"""Expressions: from the tree to the IR, with every name resolved and every rule of the language checked that needs no running.

Each method is a generator that yields the operands it wants resolved and returns the IR of its node; `resolve` runs them on a stack of
its own. So depth of a tree costs no Python recursion, whether it is nesting or a chain of ten thousand `+`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from aggregate.engine.pure.value import shown
from aggregate.language.calls import Steps, call, each, method
from aggregate.language.ir import Node
from aggregate.language.mistakes import Mistakes
from aggregate.language.names import Names, hint
from aggregate.language.scope import Scope
from aggregate.language.tree import (
    At,
    Binary,
    Call,
    Comprehension,
    Conditional,
    Constant,
    Expression,
    Field,
    ForClause,
    Group,
    IfClause,
    Index,
    ListDisplay,
    Logic,
    MapDisplay,
    Method,
    Name,
    Number,
    SetDisplay,
    Slice,
    String,
    Tuple,
    Unary,
    bare,
)
from aggregate.language.vocabulary import FUNCTIONS, MAX_KEY, MAX_NESTING, MAX_NODES
from aggregate.language.weights import weigh, weigh_iteration

_OPERATORS = frozenset(("+", "-", "*", "/", "//", "%", "|", "==", "!=", "<", "<=", ">", ">=", "in", "not in"))


class Expressions:
    """Resolves the expressions of one function, const, filter or expression."""

    def __init__(self, mistakes: Mistakes, names: Names, scope: Scope | None, function: str | None, budget: list[int]) -> None:
        self.mistakes = mistakes
        self.names = names
        self.scope = scope
        """None in a const, which has no names of its own and computes nothing by calls."""
        self.function = function
        self.budget = budget
        """How many nodes the source may still have, shared by all its parts."""
        self.depth = 0
        self.calls: list[tuple[str, At]] = []
        """Own functions that are called, and `reject`."""

    def resolve(self, root: Expression) -> Node:
        """The IR of an expression."""
        stack = [self._steps(root)]
        value: Node = None
        while stack:
            try:
                child = stack[-1].send(value)
            except StopIteration as done:
                stack.pop()
                value = done.value
            else:
                stack.append(self._steps(child))
                value = None
        return value

    def unit(self, expression: Expression) -> Node:
        """The unit of an expression that is entered on its own."""
        return [weigh([expression]), *bare(expression).start]

    def mistake(self, key: str, at: At, /, **parameters: object) -> None:
        """Note a mistake in this function."""
        self.mistakes.add(key, at, self.function, **parameters)

    def count(self, at: At) -> None:
        """One node more."""
        self.budget[0] -= 1
        if self.budget[0] < 0:
            raise self.mistakes.stop("too_big.nodes", at, self.function, limit=MAX_NODES)

    def enter(self, at: At) -> None:
        """One level of nesting more."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.mistakes.stop("too_big.nesting", at, self.function, limit=MAX_NESTING)

    def leave(self) -> None:
        """One level of nesting less."""
        self.depth -= 1

    def not_in_const(self, at: At, what: str) -> None:
        """A const has no such thing."""
        if self.scope is None:
            self.mistake("unsupported.const", at, what=what)

    def _steps(self, node: Expression) -> Steps:
        if type(node) is not Group:
            self.count(node.start)
        return self._methods[type(node)](self, node)

    # --- leaves ----------------------------------------------------------------------------------------------------------------------

    def _constant(self, node: Constant) -> Steps:
        return [node.name, *node.start]
        yield

    def _number(self, node: Number) -> Steps:
        return ["num", *node.start, node.text]
        yield

    def _string(self, node: String) -> Steps:
        return ["str", *node.start, node.text]
        yield

    def _name(self, node: Name) -> Steps:
        slot = self.scope.slot(node.name) if self.scope is not None else None
        if slot is not None:
            return ["local", *node.start, slot]
        if self.names.kind != "program":
            return ["free", *node.start, node.name]
        if node.name in self.names.consts:
            return ["const", *node.start, self.names.consts[node.name]]
        if node.name in self.names.all_consts:
            self.mistake("name.const_below", node.start, name=node.name)
        elif node.name in self.names.all_functions or node.name in FUNCTIONS:
            self.mistake("name.function", node.start, name=node.name)
        else:
            known = [*(self.scope.visible() if self.scope is not None else ()), *self.names.consts]
            self.mistake("name.variable", node.start, name=node.name, hint=hint(node.name, known, len(self.mistakes)))
        return ["null", *node.start]
        yield

    # --- operators -------------------------------------------------------------------------------------------------------------------

    def _group(self, node: Group) -> Steps:
        self.enter(node.start)
        inner = yield node.inner
        self.leave()
        return inner

    def _binary(self, node: Binary) -> Steps:
        left = yield node.left
        right = yield node.right
        if node.op not in _OPERATORS:
            self.mistake("unsupported.operator", node.at, op=node.op)
        return ["bin", *node.at, node.op, left, right]

    def _logic(self, node: Logic) -> Steps:
        left = yield node.left
        right = yield node.right
        return [node.op, *node.at, left, self.unit(node.right), right]

    def _unary(self, node: Unary) -> Steps:
        self.enter(node.start)
        operand = yield node.operand
        self.leave()
        if node.op == "~":
            self.mistake("unsupported.operator", node.start, op=node.op)
        return ["not" if node.op == "not" else "neg", *node.start, operand]

    def _conditional(self, node: Conditional) -> Steps:
        self.enter(node.start)
        then = yield node.then
        condition = yield node.condition
        otherwise = yield node.otherwise
        self.leave()
        return ["if", *node.start, condition, self.unit(node.then), then, self.unit(node.otherwise), otherwise]

    # --- parts of a value --------------------------------------------------------------------------------------------------------------

    def _field(self, node: Field) -> Steps:
        self.not_in_const(node.at, "a field")
        target = yield node.target
        return ["field", *node.at, target, node.name]

    def _index(self, node: Index) -> Steps:
        self.not_in_const(node.at, "an index")
        target = yield node.target
        self.enter(node.at)
        key = yield node.key
        self.leave()
        return ["index", *node.at, target, key]

    def _slice(self, node: Slice) -> Steps:
        self.not_in_const(node.at, "a slice")
        target = yield node.target
        self.enter(node.at)
        low = (yield node.low) if node.low is not None else None
        high = (yield node.high) if node.high is not None else None
        self.leave()
        return ["slice", *node.at, target, low, high]

    # --- displays and comprehensions ---------------------------------------------------------------------------------------------------

    def _list(self, node: ListDisplay) -> Steps:
        self.enter(node.start)
        items = yield from each(node.items)
        self.leave()
        return ["list", *node.start, items]

    def _map(self, node: MapDisplay) -> Steps:
        self.enter(node.start)
        entries: list[Node] = []
        literals: set[str] = set()
        for key, value in node.entries:
            plain = bare(key)
            if type(plain) is String:
                self._literal_key(plain, literals)
            entries.append([[*plain.start], (yield key), (yield value)])
        self.leave()
        return ["map", *node.start, entries]

    def _literal_key(self, key: String, seen: set[str]) -> None:
        if len(key.text) > MAX_KEY:
            self.mistake("too_big.key", key.start, limit=MAX_KEY)
        if key.text in seen:
            self.mistake("duplicate.key", key.start, key=shown(key.text))
        seen.add(key.text)

    def _set(self, node: SetDisplay) -> Steps:
        self.mistake("unsupported.set", node.start)
        return ["null", *node.start]
        yield

    def _tuple(self, node: Tuple) -> Steps:
        self.mistake("unsupported.tuple", node.start)
        yield from each(node.items)
        return ["null", *node.start]

    def _comprehension(self, node: Comprehension) -> Steps:
        if self.scope is None:
            self.not_in_const(node.start, "a comprehension")
            return ["null", *node.start]
        self.enter(node.start)
        fors = [clause for clause in node.clauses if type(clause) is ForClause]
        variables = self.scope.allot(name for clause in fors for name in clause.names)
        slots = list(variables.values())
        later = [*fors[1:], None]
        clauses: list[Node] = []
        for clause in node.clauses:
            if isinstance(clause, IfClause):
                clauses.append(["if", self.unit(clause.condition), (yield clause.condition)])
                continue
            iterable = yield clause.iterable
            if not clauses:
                self.scope.enter(variables)
            following = later.pop(0)
            weight = weigh_iteration(len(clause.names), following.iterable if following is not None else None)
            names: list[Node] = [variables[name.name] for name in clause.names]
            place: list[Node] = [*bare(clause.iterable).start]
            clauses.append(["for", *clause.start, weight, names, place, iterable, [*clause.names[0].start]])
        value: list[Node] = []
        if node.key is not None:
            value.append((yield node.key))
        value.append((yield node.value))
        self.scope.leave()
        self.leave()
        unit: Node = [weigh([node.key, node.value]), *bare(node.key or node.value).start]
        return ["lcomp" if node.key is None else "mcomp", *node.start, [*slots], clauses, unit, *value]

    _methods: ClassVar[dict[type, Callable[..., Steps]]] = {
        Constant: _constant,
        Number: _number,
        String: _string,
        Name: _name,
        Group: _group,
        Binary: _binary,
        Logic: _logic,
        Unary: _unary,
        Conditional: _conditional,
        Field: _field,
        Index: _index,
        Slice: _slice,
        ListDisplay: _list,
        MapDisplay: _map,
        SetDisplay: _set,
        Tuple: _tuple,
        Comprehension: _comprehension,
        Call: call,
        Method: method,
    }
