"""IR expressions to closures: the compiler of one expression, and the registry of what compiles which node.

A node with a left operand (`a + b`, `a and b`, `a.b`, `a[b]`, `a.m()`) is compiled along its left spine without recursion, and a long spine
is cut into segments that run one after the other: `1 + 1 + ...` of 20,000 nodes needs no deep stack, in the compiler or at run time.
The kinds of nodes register themselves from `atoms.py`, `calls.py`, `chains.py` and `comprehensions.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from aggregate.engine.pure.failure import At, Failure, out_of_gas
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.scope import BadIR, Node, Run, Scope, sequence
from aggregate.engine.pure.value import Value, shown

SEGMENT: Final = 32
"""Nodes of a left spine that run nested; longer ones run in segments."""

Leaf: TypeAlias = Callable[[Node, Scope], Run]
"""Compiles a node without a left operand."""
Link: TypeAlias = Callable[[Node, Node, Run, Scope], Run]
"""Compiles a node on a spine: the node, its left operand's node (None for what a segment carries over) and closure."""

_LEAVES: Final[dict[str, Leaf]] = {}
_LINKS: Final[dict[str, tuple[int, Link]]] = {}


def leaf(*tags: str) -> Callable[[Leaf], Leaf]:
    """Registers what compiles the nodes of these tags."""

    def register(compile_leaf: Leaf) -> Leaf:
        _LEAVES.update(dict.fromkeys(tags, compile_leaf))
        return compile_leaf

    return register


def link(tag: str, left: int = 3) -> Callable[[Link], Link]:
    """Registers what compiles the nodes of this tag; `left` is the index of their left operand."""

    def register(compile_link: Link) -> Link:
        _LINKS[tag] = left, compile_link
        return compile_link

    return register


def compile_expression(node: Node, scope: Scope) -> Run:
    """The closure of an expression.

    Raises:
        ValueError: no IR (other exceptions of malformed nodes are made one by `load.py`).
    """
    spine: list[Node] = []
    while type(node) is list and node and node[0] in _LINKS:
        spine.append(node)
        node = node[_LINKS[node[0]][0]]
    frames = 1 + min(len(spine), SEGMENT)
    scope.enter(frames)
    run = _compile_leaf(node, scope)
    segments: list[Run] = []
    for depth, parent in enumerate(reversed(spine), 1):
        run = _LINKS[parent[0]][1](parent, node, run, scope)
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


def _compile_leaf(node: Node, scope: Scope) -> Run:
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


def constant(value: Value) -> Run:
    return lambda call, slots: value
