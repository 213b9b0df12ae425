"""Answers over more rows than one chunk, along every way that the planner knows."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aggregate.query import planner
from aggregate.query.client import QueryClient
from aggregate.query.interface import Order
from aggregate.types import AggregateKey
from tests.query import naive
from tests.query.documents import Log, queries

ROWS = 700
A = naive.at("a")
B = naive.at("b")
FILTERS = {
    "all": None,
    "range": naive.compare(A, ">", naive.literal(100)),
    "few of a range": naive.joined("and", naive.compare(A, ">", naive.literal(20)), naive.compare(B, "==", naive.literal(3))),
    "one value": naive.compare(naive.at("o.x"), "==", naive.literal("even")),
    "some values": naive.member(A, [5, 700, 699, 30, -1]),
    "no index": naive.compare(B, "<", naive.literal(2)),
}


@pytest.fixture
async def asked() -> AsyncIterator[tuple[Log, QueryClient]]:
    """Rows whose `a` is all different and in another order than their ids, `b` one of 11, `o.x` one of two."""
    log = await Log.begin()
    for number in range(ROWS):
        value = {"a": number * 431 % ROWS, "b": number % 11, "o": {"x": "odd" if number % 2 else "even"}}
        await log.write("t-1", "AB"[number % 3 == 0], number, value)
    with tempfile.TemporaryDirectory() as folder:
        async with queries(Path(folder), log) as client:
            yield log, client


@pytest.mark.parametrize("order", [(), ("a",), ("-a",), ("b", "-a")], ids=",".join)
async def test_pages_together_are_all_rows_in_order(
    asked: tuple[Log, QueryClient], monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...]
) -> None:
    log, client = asked
    position = log.stream.position(log.history[-1][0])
    states = log.states("t-1", position)
    for few in (planner.FEW, 3):  # with candidates of an index, and without
        monkeypatch.setattr(planner, "FEW", few)
        monkeypatch.setattr(planner, "MANY", few)
        for name, test in FILTERS.items():
            wanted = naive.ordered(naive.matching(states, test), tuple(map(Order.of, order)))
            assert await _all_pages(client, test.text if test else "", order, position) == [row.key for row in wanted], (name, few)


async def _all_pages(client: QueryClient, text: str, order: tuple[str, ...], position: str) -> list[AggregateKey]:
    found: list[AggregateKey] = []
    token = ""
    while True:
        page = await client.query("t-1", text, order_by=order, limit=230, page_token=token, min_position=position)
        found += [AggregateKey(row.tenant_id, row.aggregate_type, row.aggregate_id) for row in page]
        token = page.next_page_token
        if not token:
            return found
