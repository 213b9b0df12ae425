"""What the closures' compiler knows while it compiles: the function it is in, its slots, what may be called; and the checks of IR nodes.

The IR comes from our own compiler, but the loader does not trust it: kinds of nodes, slot bounds and ranges of numbers are checked, and
whatever is wrong is a `BadIR`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from aggregate.engine.pure.failure import At
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.value import Value

Run: TypeAlias = Callable[[Call, "list[Any]"], Any]
"""A compiled expression: takes the call and the slots, gives the value."""
Node: TypeAlias = Any
"""IR as read from JSON: lists, strings, integers and None, not yet checked."""

MAX_INTEGER: Final = 2**31
MAX_SLOTS: Final = 64
MAX_NESTING: Final = 200
"""Deeper than any IR of the compiler (which allows a nesting of 64 in the source)."""


class Unbound:
    """What stands in a slot before it is assigned; no value of the language."""

    __slots__ = ()


UNBOUND: Final = Unbound()


class BadIR(ValueError):
    """The bytes are no IR of this version."""


@dataclass(slots=True)
class Function:
    """A function of the program. `body` is set once it is compiled: what it returns, given the call and its slots."""

    name: str
    params: int
    slots: int
    body: Run
    frames: int
    """About how many closures may be running at once, those of the functions it calls included."""


@dataclass(slots=True)
class Scope:
    """Where an expression stands."""

    function: str | None
    names: list[str]
    null_safe: bool = False
    consts: list[Value] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    free: bool = False
    """Free names are allowed (kinds `filter` and `expression`)."""
    bound: int = 0
    """Slots below are parameters: they always have a value."""
    loops: int = 0
    level: int = 0
    frames: int = 0
    deepest: int = 0

    def enter(self, frames: int = 1) -> None:
        """Go into a nested expression or block that takes so many closures at run time."""
        self.level += 1
        self.frames += frames
        self.deepest = max(self.deepest, self.frames)
        if self.level > MAX_NESTING:
            raise BadIR("nested too deep")

    def leave(self, frames: int = 1) -> None:
        self.level -= 1
        self.frames -= frames

    def note_call(self, function: Function) -> None:
        self.deepest = max(self.deepest, self.frames + function.frames)

    def at(self, line: Node, column: Node) -> At:
        return integer(line), integer(column), self.function

    def place(self, pair: Node) -> At:
        line, column = pair
        return self.at(line, column)

    def unit(self, unit: Node) -> tuple[int, At]:
        """The weight of a unit and the position of its `out_of_gas`."""
        weight, line, column = unit
        return integer(weight), self.at(line, column)

    def slot(self, slot: Node) -> int:
        if integer(slot) >= len(self.names):
            raise BadIR(f"slot {slot} of {len(self.names)}")
        return int(slot)

    def slots(self, slots: Node) -> tuple[int, ...]:
        if not slots:
            raise BadIR("no slot to assign to")
        return tuple(self.slot(slot) for slot in sequence(slots))

    def own_slots(self, slots: Node) -> tuple[int, ...]:
        """The slots that a comprehension unbinds: none of a parameter."""
        own = self.slots(slots)
        if min(own) < self.bound:
            raise BadIR("a comprehension uses the slot of a parameter")
        return own


def integer(value: Node) -> int:
    if type(value) is not int or not 0 <= value < MAX_INTEGER:
        raise BadIR(f"not an integer below 2^31: {value!r:.80}")
    return value


def text(value: Node) -> str:
    if type(value) is not str:
        raise BadIR(f"not a string: {value!r:.80}")
    return value


def sequence(value: Node) -> list[Node]:
    if type(value) is not list:
        raise BadIR(f"not an array: {value!r:.80}")
    return value
