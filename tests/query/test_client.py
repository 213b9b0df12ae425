"""`QueryClient` over the projection on disk: tokens, mistakes, bounds, and which way the planner takes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aggregate.errors import DeadlineExceeded, ValidationError
from aggregate.query.client import QueryClient
from aggregate.query.interface import Query
from aggregate.types import AggregateType, TenantId
from tests.query.documents import Log, queries

T1 = TenantId("t-1")


@asynccontextmanager
async def small(tmp_path: Path) -> AsyncIterator[QueryClient]:
    """Ten rows, numbered."""
    log = await Log.begin()
    for number in range(10):
        await log.write("t-1", "A", number, {"a": number})
        await log.write("t-2", "A", number, {"a": number})
    async with queries(tmp_path, log) as client:
        yield client


async def test_tokens_are_of_their_query_and_tenant_alone(tmp_path: Path) -> None:
    async with small(tmp_path) as client:
        page = await client.query("t-1", "a > 2", limit=2)
        token = page.next_page_token
        assert token
        assert (await client.query("t-1", "a > 2", limit=5, page_token=token))[0].state == {"a": 5}
        others: list[tuple[str, str, dict[str, Any]]] = [
            ("t-2", "a > 2", {}),
            ("t-1", "a > 3", {}),
            ("t-1", "a > 2", {"order_by": ["a"]}),
            ("t-1", "a > 2", {"aggregate_type": AggregateType("A")}),
        ]
        for tenant, text, options in others:
            with pytest.raises(ValidationError, match="page_token: it belongs to another query"):
                await client.query(tenant, text, page_token=token, **options)
        tampered = [token[:-1] + ("A" if token[-1] != "A" else "B"), "A" + token[1:], token[:-4], token + "AAAA", "x", "é", token + "="]
        for each in tampered:
            with pytest.raises(ValidationError, match="page_token: "):
                await client.query("t-1", "a > 2", page_token=each)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (Query("a >"), "filter"),
        (Query("nofunction(a)"), "filter"),
        (Query(limit=0), "limit"),
        (Query(limit=1001), "limit"),
        (Query(aggregate_type=AggregateType("Other")), "aggregate_type"),
        (Query(page_token="x"), "page_token"),
        (Query(group_by=("a..b",)), "group_by"),
        (Query(min_position="x"), "position"),
    ],
)
async def test_mistakes_of_a_query_name_their_field(tmp_path: Path, query: Query, field: str) -> None:
    async with small(tmp_path) as client:
        with pytest.raises(ValidationError) as raised:
            await client.find(T1, query)
        assert raised.value.field == field


async def test_filter_mistakes_show_their_place(tmp_path: Path) -> None:
    async with small(tmp_path) as client:
        with pytest.raises(ValidationError) as raised:
            await client.query("t-1", "a > 1 and\nb >> 2")
        assert "filter:2:3" in str(raised.value)
        assert "^" in str(raised.value)


async def test_gas_and_time_are_bounds(tmp_path: Path) -> None:
    async with small(tmp_path) as client:
        poor = QueryClient(client.projection, gas=10)
        with pytest.raises(Exception, match="gas"):
            await poor.query("t-1", "b > 2")
        with pytest.raises(DeadlineExceeded):
            await client.find(T1, Query("b > 2"), deadline=time.monotonic() - 1)


async def test_errors_of_rows_are_counted_and_the_first_told(tmp_path: Path) -> None:
    async with small(tmp_path) as client:
        answer = await client.query("t-1", "a.b == 1", explain=True)
        assert (len(answer), answer.explanation and answer.explanation.errors) == (0, 10)
        assert answer.explanation is not None
        assert '"code":"type"' in answer.explanation.first_error


@pytest.mark.parametrize(
    ("text", "order", "index", "rows"),
    [
        ("a == 3", (), "a", 1),
        ("a in [1, 2, 30]", (), "a", 2),
        ("a > 2 and a < 5", (), "a", 2),
        ("3 <= a and a <= 5 and b == None", (), "a", 3),
        ('o.x.startswith("z")', (), "o.x", 0),
        ("b == 3", (), "", 10),
        ("a == 3 or b == 3", (), "", 10),
        ("", ("-a",), "a", 10),
    ],
)
async def test_the_planner_takes_the_index_that_helps(tmp_path: Path, text: str, order: tuple[str, ...], index: str, rows: int) -> None:
    async with small(tmp_path) as client:
        answer = await client.query("t-1", text, order_by=order, explain=True, aggregate_type=AggregateType("A"))
        assert answer.explanation is not None
        assert (answer.explanation.index, answer.explanation.rows_read) == (index, rows)
