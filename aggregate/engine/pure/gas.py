"""The gas counter of one call and its units of account (`docs/language.md`, section 7).

The counter starts at the limit; a charge beyond what is left ends the call with `out_of_gas`, gas used = limit.
"""

from __future__ import annotations

from itertools import count
from typing import Final

from aggregate.engine.pure.failure import At, out_of_gas
from aggregate.engine.pure.number import Dec, is_wide
from aggregate.engine.pure.value import Value

WIDE: Final = 8
"""N: a number among the operands is not an integer in the i64 range."""

_EPOCHS = count(1)


class Call:
    """What one call of a program carries along: what is left of its gas, its epoch (see `value.py`), what is being iterated."""

    __slots__ = ("carry", "epoch", "free", "left", "limit", "locks")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit
        self.epoch = next(_EPOCHS)
        self.locks: dict[int, int] = {}
        self.carry: Value = None
        self.free: Value = None

    @property
    def used(self) -> int:
        return self.limit - max(self.left, 0)

    def charge(self, amount: int, at: At | None) -> None:
        self.left -= amount
        if self.left < 0:
            raise out_of_gas(at, self.limit)

    def lock(self, value: Value) -> None:
        """`value` is being iterated from now on."""
        self.locks[id(value)] = self.locks.get(id(value), 0) + 1

    def unlock(self, value: Value) -> None:
        count = self.locks[id(value)] - 1
        if count:
            self.locks[id(value)] = count
        else:
            del self.locks[id(value)]


def read(value: Value) -> int:
    """R: a string is read; what is no string costs nothing."""
    return len(value) >> 4 if type(value) is str else 0


def lookup(size: int) -> int:
    """K: look-up or write in a map of `size` entries."""
    return 1 + size.bit_length()


def wide(*values: Value) -> int:
    """N: 8 when a number among the values is not an integer in the i64 range."""
    for value in values:
        if type(value) in _NUMBERS and is_wide(value):
            return WIDE
    return 0


def made_string(length: int) -> int:
    """M."""
    return 2 + (length >> 3)


def made_list(length: int) -> int:
    """L."""
    return 4 + length


def made_map(length: int) -> int:
    """D."""
    return 8 + 2 * length


_NUMBERS = frozenset((int, Dec))
