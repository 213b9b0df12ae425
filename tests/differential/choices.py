"""A byte string read as a sequence of choices: hypothesis, a fuzzer or a seed may write it, and the same bytes make the same case."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Reads choices from `data`; when it is used up every choice is the first one, so that cases end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @classmethod
    def seeded(cls, seed: int, size: int = 600) -> Choices:
        return cls(random.Random(seed).randbytes(size))

    @property
    def spent(self) -> bool:
        return self._at >= len(self._data)

    def below(self, bound: int) -> int:
        """A number from 0 to bound - 1 (bound at most 256)."""
        if self.spent:
            return 0
        byte = self._data[self._at]
        self._at += 1
        return byte % bound

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def chance(self, one_in: int) -> bool:
        return self.below(one_in) == one_in - 1
