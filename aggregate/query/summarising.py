"""Aggregates over the rows that match: `count`, `sum`, `min`, `max`, in groups. All numbers exact, whatever their size."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from aggregate.engine import Scanned, order
from aggregate.errors import ValidationError
from aggregate.query.interface import Group, Query, Summary
from aggregate.types import AggregateType

MOST_GROUPS: Final = 10_000
_NUMBERS: Final = frozenset((order.BELOW, order.ZERO, order.ABOVE))


class Summariser:
    """Gathers the groups of one query."""

    def __init__(self, query: Query) -> None:
        self._summaries = query.summaries or (Summary("count"),)
        self._by = len(query.group_by)
        self._paths = [*query.group_by, *(each.path for each in self._summaries if each.path)]
        self._groups: dict[bytes, tuple[list[bytes], list[_Gathered]]] = {}
        if not query.group_by:
            self._group([])

    def add(self, aggregate_type: AggregateType, hits: Scanned) -> None:
        """Take in rows of a type.

        Raises:
            ValidationError: something else than a number was to be summed; there are too many groups.
        """
        width = len(self._paths)
        if not width:  # nothing but `count`
            for gathered in self._group([]):
                gathered.count(hits.count)
            return
        keys = hits.keys(self._paths)
        for at in range(hits.count):
            own = keys[at * width : (at + 1) * width]
            values = iter(own[self._by :])
            for gathered in self._group(own[: self._by]):
                gathered.add(next(values) if gathered.summary.path else None, aggregate_type)

    def groups(self) -> tuple[Group, ...]:
        """The groups, by their values."""
        found = []
        for _, (keys, gathered) in sorted(self._groups.items(), key=lambda item: item[0]):
            found.append(Group(tuple(map(_value, keys)), tuple(each.value() for each in gathered)))
        return tuple(found)

    def _group(self, keys: list[bytes]) -> list[_Gathered]:
        name = b"".join(keys)
        group = self._groups.get(name)
        if group is None:
            if len(self._groups) >= MOST_GROUPS:
                raise ValidationError(f"there are more than {MOST_GROUPS} groups", "group_by")
            group = self._groups[name] = (keys, [_Gathered(each) for each in self._summaries])
        return group[1]


class _Gathered:
    """One summary of one group."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self._count = 0
        self._scale = 0
        self._total = 0
        self._best: bytes | None = None

    def count(self, rows: int) -> None:
        """So many rows more."""
        self._count += rows

    def add(self, key: bytes | None, aggregate_type: AggregateType) -> None:
        """One row more, with the key of its value."""
        if key is None:
            self._count += 1
        elif key == order.NULL:
            return
        elif self.summary.function == "count":
            self._count += 1
        elif self.summary.function == "sum":
            self._add(key, aggregate_type)
        elif self._best is None or (key < self._best) == (self.summary.function == "min"):
            self._best = key

    def value(self) -> Any:
        match self.summary.function:
            case "count":
                return self._count
            case "sum":
                whole, rest = divmod(self._total, 10**self._scale)
                return whole if not rest else Decimal(f"{self._total}E{-self._scale}")
            case _:
                return None if self._best is None else _value(self._best)

    def _add(self, key: bytes, aggregate_type: AggregateType) -> None:
        if key[:1] not in _NUMBERS:
            raise ValidationError(f"{self.summary.path} of {aggregate_type} is not a number everywhere: it cannot be summed", "summaries")
        value = order.key_value(key)
        sign, digits, exponent = Decimal(value).as_tuple()
        coefficient, scale = int("".join(map(str, digits))), max(0, -int(exponent))
        if isinstance(value, int):
            coefficient, scale, sign = abs(value), 0, int(value < 0)
        if scale > self._scale:
            self._total *= 10 ** (scale - self._scale)
            self._scale = scale
        self._total += (-coefficient if sign else coefficient) * 10 ** (self._scale - scale)


def _value(key: bytes) -> Any:
    value = order.key_value(key)
    return value.decode() if isinstance(value, bytes) else value
