"""Which way to the rows of a type: an index that narrows them down, an index in the order asked for, or all of them.

Nothing is known beforehand of how many rows have which value, so the planner looks: it walks the entries of each index that could help,
up to a bound, and takes the one with the fewest. Where every one has more than that, rows in the order of the answer are better, because
a page ends early.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aggregate.query.constraints import EVERYTHING, Constraint, Range
from aggregate.query.ordering import Ordering
from aggregate.query.view import ID, View
from aggregate.types import AggregateType, TenantId

FEW: Final = 4_000
"""Candidates that are fetched one by one without much thought."""
MANY: Final = 50_000
"""Candidates that are fetched one by one where the other way is to look at every row."""
TRIED: Final = 4


@dataclass(frozen=True, slots=True)
class Candidates:
    """Fetch these rows. `ids` ascend."""

    path: str
    ids: list[bytes]


@dataclass(frozen=True, slots=True)
class InOrder:
    """Walk an index in the order of the answer, within ranges."""

    path: str
    index: int
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class ById:
    """Walk the entries of one value of an index, which are in the order of their ids."""

    path: str
    index: int
    value: Range


@dataclass(frozen=True, slots=True)
class Scan:
    """Look at every row."""

    path: str = ""


Plan = Candidates | InOrder | ById | Scan


def plan(
    view: View, tenant_id: TenantId, aggregate_type: AggregateType, demands: Mapping[str, Constraint], order: Ordering, *, whole: bool
) -> Plan:
    """The way to the rows of a type. `whole`: all that match are wanted, not the first of them."""
    indexes = {path: number for number, path in enumerate(view.indexes[aggregate_type])}
    usable = [demand for path, demand in demands.items() if path in indexes]
    usable.sort(key=lambda demand: not demand.exact)
    sorted_by = order.keys[0].path if len(order.keys) == 1 and order.keys[0].path in indexes else None
    if sorted_by is not None and view.cut_entries(tenant_id, aggregate_type, indexes[sorted_by]):
        sorted_by = None  # long texts stand in it in the order of their beginnings
    ends_early = not whole and (not order.keys or sorted_by is not None)
    bound = FEW if ends_early else MANY
    best: Candidates | None = None
    for demand in usable[:TRIED]:
        found = _entries(view, tenant_id, aggregate_type, indexes[demand.path], demand.ranges, bound if best is None else len(best.ids))
        if found is not None:
            best = Candidates(demand.path, found)
    if best is not None and not (sorted_by == best.path and ends_early):
        best.ids.sort()
        return best
    if ends_early and sorted_by is not None:
        ranges = demands[sorted_by].ranges if sorted_by in demands else EVERYTHING
        return InOrder(sorted_by, indexes[sorted_by], ranges)
    if not order.keys:
        for demand in usable:
            if demand.exact and len(demand.ranges) == 1:
                return ById(demand.path, indexes[demand.path], demand.ranges[0])
    return Scan()


def _entries(
    view: View, tenant_id: TenantId, aggregate_type: AggregateType, index: int, ranges: tuple[Range, ...], bound: int
) -> list[bytes] | None:
    """The ids under ranges of an index, None where there are `bound` or more."""
    found: list[bytes] = []
    for low, high in ranges:
        for chunk in view.entries(tenant_id, aggregate_type, index, low, high):
            found += [entry[-ID:] for entry in chunk]
            if len(found) >= bound:
                return None
    return found
