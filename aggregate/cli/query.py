"""`aggregate query`: which aggregates match a filter, or sums over them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from aggregate.cli.exits import run, write
from aggregate.cli.options import AsJson, Connection, connects
from aggregate.types.json import canonical
from aggregate.types.queries import MAX_LIMIT, Answer, Explanation, Row, Summary

Filter = Annotated[str, typer.Argument(metavar="FILTER", help='An expression over a state, like "balance > 50"; without one: all.')]
OfType = Annotated[str, typer.Option("--type", metavar="TYPE", help="Only aggregates of this type.")]

MOST_COLUMNS = 8
WIDEST = 60


@connects
def query(
    text: Filter = "",
    *,
    connection: Connection,
    aggregate_type: OfType = "",
    order_by: Annotated[
        list[str] | None, typer.Option("--order-by", metavar="PATH", help="Order by a path, `-PATH` descending; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help=f"Rows at most; above {MAX_LIMIT:,} several pages are asked for.")] = 100,
    everything: Annotated[bool, typer.Option("--all", help="All rows, page by page.")] = False,
    page_token: Annotated[str, typer.Option("--page", metavar="TOKEN", help="Go on with the page that an earlier answer named.")] = "",
    min_position: Annotated[
        str,
        typer.Option("--min-position", metavar="POSITION", help="Wait until what stands there (a command's reply) is in the answer."),
    ] = "",
    count: Annotated[bool, typer.Option("--count", help="Instead of rows, how many there are.")] = False,
    sums: Annotated[list[str] | None, typer.Option("--sum", metavar="PATH", help="Instead of rows, the sum of a path.")] = None,
    least: Annotated[list[str] | None, typer.Option("--min", metavar="PATH", help="Instead of rows, the least value of a path.")] = None,
    greatest: Annotated[list[str] | None, typer.Option("--max", metavar="PATH", help="Likewise, the greatest.")] = None,
    group_by: Annotated[list[str] | None, typer.Option("--group-by", metavar="PATH", help="These for each value of a path.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Tell how the answer was found, on standard error.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the aggregates that match a filter: a table on a terminal, else one JSON line each."""
    summaries = [Summary("count")] if count else []
    summaries += [Summary("sum", path) for path in sums or ()]
    summaries += [Summary("min", path) for path in least or ()]
    summaries += [Summary("max", path) for path in greatest or ()]
    if group_by and not summaries:
        raise typer.BadParameter("what should be computed of each group? --count, --sum, --min, --max", param_hint="--group-by")
    lines = as_json or not sys.stdout.isatty()

    async def work() -> None:
        async with connection.client() as client:

            async def ask(most: int, token: str) -> Answer:
                return await client.query(
                    text,
                    aggregate_type=aggregate_type,
                    order_by=order_by or (),
                    limit=min(most, MAX_LIMIT),
                    page_token=token,
                    min_position=min_position,
                    summaries=summaries,
                    group_by=group_by or (),
                    explain=explain,
                )

            answer = await ask(limit if not everything else MAX_LIMIT, page_token)
            if summaries:
                tell_groups(answer, summaries, group_by or [], lines=lines)
                tell_how(answer.explanation)
                return
            rows: list[Row] = []
            given = 0
            while True:
                tell_how(answer.explanation)
                given += len(answer)
                if lines:
                    for row in answer:
                        write(row_line(row))
                else:
                    rows += answer
                if not answer.next_page_token or (not everything and given >= limit):
                    break
                answer = await ask(MAX_LIMIT if everything else limit - given, answer.next_page_token)
            if not lines:
                Console().print(row_table(rows))
            if answer.next_page_token:
                typer.echo(f"more: --page {answer.next_page_token}", err=True)

    run(work(), as_json=as_json)


def row_line(row: Row, **more: Any) -> str:
    """A row for machines."""
    told = {
        "tenant_id": row.tenant_id,
        "aggregate_type": row.aggregate_type,
        "aggregate_id": row.aggregate_id,
        "version": int(row.version),
        "state": row.state,
        "position": row.position,
        "time": row.time,
    }
    return canonical(told | more).decode()


def row_table(rows: Sequence[Row]) -> Table:
    """Rows for people: a column for each member of the states, as far as they fit."""
    states = [row.state for row in rows]
    names = list(dict.fromkeys(name for state in states if isinstance(state, dict) for name in state))
    shown = names[:MOST_COLUMNS] if all(isinstance(state, dict) for state in states) else []
    table = Table("type", "id", "version", *(shown or ["state"]), "changed")
    for row, state in zip(rows, states, strict=True):
        values = [_cell(state[name]) if name in state else "" for name in shown] if shown else [_cell(state)]
        table.add_row(row.aggregate_type, row.aggregate_id, str(row.version), *values, row.time)
    if len(names) > len(shown) and shown:
        table.caption = f"not shown: {', '.join(names[len(shown) :])}"
    return table


def tell_groups(answer: Answer, summaries: Sequence[Summary], group_by: Sequence[str], *, lines: bool) -> None:
    """Groups, for machines or people."""
    names = [*group_by, *(f"{each.function}({each.path})" if each.path else each.function for each in summaries)]
    if lines:
        for group in answer.groups:
            write(canonical(dict(zip(names, (*group.key, *group.values), strict=True))).decode())
        return
    table = Table(*names)
    for group in answer.groups:
        table.add_row(*map(_cell, (*group.key, *group.values)))
    Console().print(table)


def tell_how(explanation: Explanation | None) -> None:
    """How an answer was found, on standard error."""
    if explanation is None:
        return
    index = f", index {explanation.index}" if explanation.index else ""
    typer.echo(f"{explanation.plan}: {explanation.rows_read} rows read{index}, {explanation.gas_used} gas", err=True)
    if explanation.errors:
        typer.echo(f"the filter failed on {explanation.errors} rows, which do not match; first: {explanation.first_error}", err=True)


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else canonical(value).decode()
    text = "".join(character if character.isprintable() else "\ufffd" for character in text).replace("[", r"\[")
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
