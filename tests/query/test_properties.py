"""Queries give what a naive evaluation over the same states gives: filters, orders and pages, also while others write."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregate.query import planner, searching, stored, view
from aggregate.query.client import QueryClient
from aggregate.query.interface import Order, Query, Row, Summary
from aggregate.types import AggregateKey, AggregateType, TenantId
from tests.query import naive
from tests.query.documents import Log, queries
from tests.query.strategies import TENANTS, documents, filters, orders, writes

SMALL = {
    view: {"FIRST_CHUNK": 2, "LONGEST_CHUNK": 3, "FIRST_PACKS": 1, "MOST_PACKS": 2},
    searching: {"FIRST_CHUNK": 2, "MOST_CHOSEN": 3, "SLACK": 2},
    planner: {"FEW": 2, "MANY": 2},
    stored: {"PACK": 250},
}


@pytest.fixture(autouse=True, scope="module", params=["as they are", "small"])
def sizes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Chunks and bounds as they are, and so small that a few rows go every way."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "small":
            for module, small in SMALL.items():
                for name, size in small.items():
                    patch.setattr(module, name, size)
        yield


_slow = settings(max_examples=int(os.environ.get("AGGREGATE_EXAMPLES", "20")), deadline=None, suppress_health_check=list(HealthCheck))
questions = st.tuples(filters, orders, st.sampled_from([None, "A", "B"]), st.sampled_from([1, 2, 3, 5, 20]))
Question = tuple[naive.Test | None, tuple[Order, ...], str | None, int]


@given(writes, st.lists(questions, min_size=1, max_size=3), st.lists(documents, min_size=10, max_size=10))
@_slow
def test_pages_are_those_of_a_naive_evaluation_while_others_write(
    before: list[tuple[str, str, int, Any]], asked: list[Question], later: list[Any]
) -> None:
    async def run() -> None:
        log = await Log.begin()
        for write in before:
            await log.write(*write)
        with tempfile.TemporaryDirectory() as folder:
            async with queries(Path(folder), log) as client:
                stopped = asyncio.Event()
                writing = asyncio.create_task(_write_on(log, later, stopped))
                for question in asked:
                    for tenant in TENANTS:
                        await _check_pages(log, client, tenant, question)
                stopped.set()
                await writing

    asyncio.run(run())


async def _write_on(log: Log, values: list[Any], stopped: asyncio.Event) -> None:
    number = 0
    while not stopped.is_set():
        await log.write(TENANTS[number % 2], "AB"[number // 2 % 2], number * 5 % 9, values[number % len(values)])
        number += 1
        await asyncio.sleep(0.001)


async def _check_pages(log: Log, client: QueryClient, tenant: str, question: Question) -> None:
    test, order, kind, limit = question
    token, last = "", None
    position = log.stream.position(log.history[-1][0]) if log.history else ""
    while True:
        query = Query(
            test.text if test is not None else "",
            AggregateType(kind) if kind else None,
            order_by=order,
            limit=limit,
            page_token=token,
            min_position=position,
            explain=True,
        )
        answer = await client.find(TenantId(tenant), query)
        assert log.stream.sequence(answer.position) >= log.stream.sequence(position)
        rows = naive.ordered(naive.matching(log.states(tenant, answer.position), test, kind), order)
        if last is not None:
            rows = [row for row in rows if naive.comes_first(last, row, order) < 0]
        found = [_plain(row) for row in answer]
        assert found == rows[:limit], (query, answer.explanation)
        assert bool(answer.next_page_token) == (len(rows) > limit)
        if not answer.next_page_token:
            return
        token, last = answer.next_page_token, found[-1]


def _plain(row: Row) -> naive.Row:
    return naive.Row(AggregateKey(row.tenant_id, row.aggregate_type, row.aggregate_id), row.version, row.state)


@given(writes, filters, st.lists(st.sampled_from(["b", "o.x"]), max_size=2, unique=True))
@_slow
def test_groups_are_those_of_a_naive_evaluation(before: list[tuple[str, str, int, Any]], test: naive.Test | None, by: list[str]) -> None:
    async def run() -> None:
        log = await Log.begin()
        position = ""
        for tenant, kind, number, value in before:
            position = await log.write(tenant, kind, number, value if not isinstance(value, dict) else {**value, "n": _number(value)})
        with tempfile.TemporaryDirectory() as folder:
            async with queries(Path(folder), log) as client:
                summaries = (Summary("count"), Summary("count", "a"), Summary("sum", "n"), Summary("min", "n"), Summary("max", "n"))
                query = Query(test.text if test else "", min_position=position, summaries=summaries, group_by=tuple(by))
                answer = await client.find(TenantId(TENANTS[0]), query)
                rows = naive.matching(log.states(TENANTS[0], answer.position), test)
        wanted: dict[Any, list[naive.Row]] = {} if by else {(): []}
        for row in rows:
            wanted.setdefault(tuple(repr(naive.rank(naive.lenient(row.state, path))) for path in by), []).append(row)
        assert len(answer.groups) == len(wanted)
        for group, rows in zip(
            answer.groups, [rows for _, rows in sorted(wanted.items(), key=lambda item: _group_rank(item[1], by))], strict=True
        ):
            numbers = [naive.lenient(row.state, "n") for row in rows if naive.lenient(row.state, "n") is not None]
            with_a = sum(naive.lenient(row.state, "a") is not None for row in rows)
            assert group.values == (
                len(rows),
                with_a,
                sum(map(Fraction, numbers)),
                min(numbers, default=None),
                max(numbers, default=None),
            )

    asyncio.run(run())


def _group_rank(rows: list[naive.Row], by: list[str]) -> Any:
    return [naive.rank(naive.lenient(rows[0].state, path)) for path in by] if rows else []


def _number(value: Any) -> Any:
    return value["a"] if naive.is_number(value.get("a")) else None
