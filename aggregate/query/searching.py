"""Executing a query: along the plan of each type, through the filter, into the order of the answer. Runs in a thread, over one view."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from aggregate.engine import Scanned
from aggregate.query.budget import Budget
from aggregate.query.constraints import EVERYTHING, constraints
from aggregate.query.filters import Filter
from aggregate.query.ordering import Ordering
from aggregate.query.planner import ById, Candidates, InOrder, Plan, Scan, plan
from aggregate.query.view import FIRST_CHUNK, ID, MOST_CHOSEN, View
from aggregate.types import AggregateType, TenantId

SLACK: Final = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """A row of a page, with its place in the order."""

    place: bytes
    aggregate_type: AggregateType
    name: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one tenant's rows."""

    tenant_id: TenantId
    types: Sequence[AggregateType]
    filter: Filter
    order: Ordering


def page(view: View, asked: Question, after: bytes, count: int, budget: Budget) -> tuple[list[Found], list[str], list[str]]:
    """The first `count` matching rows after a place; with what was done, in words, and the paths whose indexes were used.

    Raises:
        Overloaded, DeadlineExceeded, StorageError.
    """
    demands = constraints(asked.filter.tree)
    found: list[Found] = []
    words, paths = [], []
    for aggregate_type in asked.types:
        if not asked.order.keys and len(found) >= count:
            break
        way = plan(view, asked.tenant_id, aggregate_type, demands, asked.order, whole=False)
        words.append(f"{aggregate_type}: {_told(way)}")
        paths.append(way.path)
        found += _of_type(view, asked, aggregate_type, way, after, count - (0 if asked.order.keys else len(found)), budget)
    return heapq.nsmallest(count, found, key=lambda each: each.place), words, paths


def everything(view: View, asked: Question, budget: Budget, words: list[str], paths: list[str]) -> Iterator[tuple[AggregateType, Scanned]]:
    """All rows that match, some at a time; `words` and `paths` get what `page` returns of them.

    Raises:
        Overloaded, DeadlineExceeded, StorageError.
    """
    demands = constraints(asked.filter.tree)
    for aggregate_type in asked.types:
        way = plan(view, asked.tenant_id, aggregate_type, demands, asked.order, whole=True)
        words.append(f"{aggregate_type}: {_told(way)}")
        paths.append(way.path)
        for hits in _hits(view, asked, aggregate_type, way, b"", budget):
            yield aggregate_type, hits


def _of_type(
    view: View, asked: Question, aggregate_type: AggregateType, way: Plan, after: bytes, count: int, budget: Budget
) -> list[Found]:
    """The first `count` rows of a type after a place, in order."""
    ends_early = isinstance(way, InOrder) or not asked.order.keys
    found: list[Found] = []
    for hits in _hits(view, asked, aggregate_type, way, after, budget):
        entries = hits.entries()
        keys = hits.keys(asked.order.paths) if asked.order.keys else []
        places = asked.order.places(aggregate_type, [name for name, _ in entries], keys)
        rows = [Found(place, aggregate_type, name, raw) for place, (name, raw) in zip(places, entries, strict=True) if place > after]
        found += sorted(rows, key=lambda each: each.place) if isinstance(way, InOrder) else rows
        if ends_early and len(found) >= count:
            return found[:count]
        if len(found) > count + SLACK:
            found = heapq.nsmallest(count, found, key=lambda each: each.place)
    return found if ends_early else heapq.nsmallest(count, found, key=lambda each: each.place)


def _hits(view: View, asked: Question, aggregate_type: AggregateType, way: Plan, after: bytes, budget: Budget) -> Iterator[Scanned]:
    """The rows along a way that match, some at a time, these by their ids. Those before the place `after` may be left out."""
    of_type = asked.tenant_id, aggregate_type
    first = _first_id(aggregate_type, after) if not asked.order.keys else b""
    if first is None:
        return
    if isinstance(way, Scan):
        for packs in view.packs(*of_type, first):
            yield budget.scan(asked.filter, *of_type, packs, after=first)
        return
    ids = _ids(view, asked, aggregate_type, way, first, after)
    size = FIRST_CHUNK
    while chosen := sorted(islice(ids, size)):
        yield budget.scan(asked.filter, *of_type, view.chosen(*of_type, chosen), chosen=b"".join(chosen))
        size = min(2 * size, MOST_CHOSEN)


def _ids(
    view: View, asked: Question, aggregate_type: AggregateType, way: Candidates | InOrder | ById, first: bytes, after: bytes
) -> Iterator[bytes]:
    """The ids along an index, after the id `first` where they ascend."""
    if isinstance(way, Candidates):
        return iter([name for name in way.ids if name > first] if first else way.ids)
    if isinstance(way, InOrder):
        chunks = _index_order(view, asked, aggregate_type, way, after)
    else:
        low, high = way.value
        chunks = view.entries(asked.tenant_id, aggregate_type, way.index, low + first + b"\0" if first else low, high)
    return (entry[-ID:] for chunk in chunks for entry in chunk)


def _index_order(view: View, asked: Question, aggregate_type: AggregateType, way: InOrder, after: bytes) -> Iterator[list[bytes]]:
    """The entries of the ranges, in the order of the answer, after a place."""
    descending = asked.order.descending
    low, high = asked.order.entry(aggregate_type, after) if after else (b"", b"")
    for first, last in reversed(way.ranges) if descending else way.ranges:
        start, end = max(first, low), min(last, high) if high else last
        if start < end:
            yield from view.entries(asked.tenant_id, aggregate_type, way.index, start, end, backwards=descending)


def _first_id(aggregate_type: AggregateType, after: bytes) -> bytes | None:
    """Of a place in the order of type and id: the id after which ours come, b"" for all of ours, None for none."""
    named, name = after[:-ID], after[-ID:]
    ours = aggregate_type.encode() + b"\0"
    if not after or named < ours:
        return b""
    return name if named == ours else None


def _told(way: Plan) -> str:
    if isinstance(way, Candidates):
        return f"{len(way.ids)} rows by the index on {way.path}"
    if isinstance(way, InOrder):
        within = "" if way.ranges == EVERYTHING else " within bounds"
        return f"the index on {way.path} in order{within}"
    if isinstance(way, ById):
        return f"one value of the index on {way.path}"
    return "a scan of all rows"
