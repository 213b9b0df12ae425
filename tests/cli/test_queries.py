"""query and watch, against a real log and projection."""

from __future__ import annotations

import asyncio
import io
import json
from decimal import Decimal

from rich.console import Console

from aggregate.cli.query import row_table
from aggregate.cli.watch import as_text
from aggregate.types import AggregateType, Document, TenantId
from aggregate.types.queries import Row, WatchEvent
from tests.gateway.test_queries import IDS, Serving, handler, put, serving

from .conftest import Cli

__all__ = ["handler", "serving"]


async def fill(serving: Serving) -> None:
    async with serving.client() as client:
        for number in range(6):
            state = {"balance": Decimal(f"{number}.5"), "owner": {"country": "DE" if number % 2 else "NL"}}
            position = await put(client, number, state)
        await client.query(min_position=position)


def node(serving: Serving) -> list[str]:
    return ["--node", f"127.0.0.1:{serving.port}", "--tenant", "acme"]


async def test_rows_are_json_lines_for_machines(cli: Cli, serving: Serving) -> None:
    await fill(serving)
    ended = await cli("query", "balance > 2", "--type", "Account", "--order-by", "-balance", "--limit", "2", *node(serving))
    assert ended.code == 0
    assert [json.loads(line)["state"]["balance"] for line in ended.out.splitlines()] == [5.5, 4.5]
    assert json.loads(ended.out.splitlines()[0])["aggregate_id"] == IDS[5]
    assert ended.err.startswith("more: --page ")
    token = ended.err.split()[-1]
    rest = await cli("query", "balance > 2", "--type", "Account", "--order-by", "-balance", "--page", token, *node(serving))
    assert [json.loads(line)["state"]["balance"] for line in rest.out.splitlines()] == [3.5, 2.5]
    assert rest.err == ""
    everything = await cli("query", "--all", *node(serving))
    assert len(everything.out.splitlines()) == 6


async def test_sums_and_groups_and_how_they_were_found(cli: Cli, serving: Serving) -> None:
    await fill(serving)
    ended = await cli(
        "query", "--count", "--sum", "balance", "--max", "balance", "--group-by", "owner.country", "--explain", *node(serving)
    )
    assert [json.loads(line) for line in ended.out.splitlines()] == [
        {"count": 3, "max(balance)": 5.5, "owner.country": "DE", "sum(balance)": 10.5},
        {"count": 3, "max(balance)": 4.5, "owner.country": "NL", "sum(balance)": 7.5},
    ]
    assert "6 rows read" in ended.err
    wrong = await cli("query", "--group-by", "owner.country", *node(serving))
    assert wrong.code == 2


async def test_a_wrong_filter_is_shown_with_its_place(cli: Cli, serving: Serving) -> None:
    ended = await cli("query", "balance > ) 5", *node(serving))
    assert ended.code == 1
    *_, line, caret = ended.err.splitlines()
    assert caret.index("^") == line.index(")")


async def test_watching_prints_lines_and_how_to_go_on(cli: Cli, serving: Serving) -> None:
    await fill(serving)
    watching = asyncio.ensure_future(cli("watch", "balance > 4", "--patience", "0", "--json", *node(serving)))
    live = serving.live
    async with serving.client() as client:
        while not live.watchers:  # noqa: ASYNC110 - it begins in a thread of its own
            await asyncio.sleep(0.01)
        (tenant,) = live._tenants.values()
        (watched,) = tenant.questions.values()
        (watcher,) = watched.watchers
        while not watcher._read_to:  # type: ignore[attr-defined]  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        await put(client, 0, {"balance": 9})
        position = await put(client, 5, {"balance": 1})
        await client.query(min_position=position)
        while live.counts.events < 2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    await serving.stop(2.0)
    ended = await watching
    *lines, told = map(json.loads, ended.out.splitlines())
    assert [line["kind"] for line in lines] == ["row", "row", "caught_up", "added", "no_longer_matching"]
    assert ended.code == 4
    assert told["error"]["message"].endswith(f"; to go on: --resume {lines[-1]['resume_token']}")
    await serving.start()
    again = asyncio.ensure_future(
        cli("watch", "balance > 4", "--resume", lines[-1]["resume_token"], "--patience", "0", "--json", *node(serving))
    )
    while not live.watchers:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    async with serving.client() as client:
        await put(client, 1, {"balance": 8})
        while live.counts.events < 3:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    await serving.stop(2.0)
    first, *_ = map(json.loads, (await again).out.splitlines())
    assert first["kind"] in {"caught_up", "changed"}


def row(number: int, state: object) -> Row:
    return Row(TenantId("acme"), AggregateType("Account"), IDS[number], 3, Document.of(state), "0:9", "2026-01-31T12:00:00.000Z")


def shown(*rows: Row) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(row_table(rows))
    return out.getvalue()


def test_people_get_a_table_with_a_column_for_each_member() -> None:
    text = shown(row(1, {"balance": Decimal("12345678901234567890.10"), "owner": {"name": "[red]Ann"}}), row(2, {"balance": 7}))
    heads, *_ = [line for line in text.splitlines() if "type" in line]
    assert [head.strip() for head in heads.strip("┃ ").split("┃")] == ["type", "id", "version", "balance", "owner", "changed"]
    assert "12345678901234567890.1 " in text
    assert '{"name":"[red]Ann"}' in text
    many = shown(row(1, {f"m{number}": number for number in range(20)}))
    assert "not shown: m16, m17" in many
    assert "a, b" not in shown(row(1, ["a", "b"]))
    assert '["a","b"]' in shown(row(1, ["a", "b"]))
    assert "\x1b]" not in shown(row(1, {"text": "\x1b]0;owned\x07"}))


def test_people_get_signs_for_what_changes() -> None:
    one = row(1, {"balance": 7})
    assert as_text(WatchEvent("added", one)) == f'+ Account {IDS[1]}  version 3  {{"balance":7}}'
    assert as_text(WatchEvent("no_longer_matching", one)).startswith("- ")
    assert as_text(WatchEvent("caught_up")) == "-- up to date --"
    assert "void" in as_text(WatchEvent("lagged"))
