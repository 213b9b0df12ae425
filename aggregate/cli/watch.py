"""`aggregate watch`: the aggregates that match a filter, and what changes in them as it changes."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import Annotated

import typer

from aggregate.cli.exits import run, write
from aggregate.cli.options import AsJson, Connection, connects
from aggregate.cli.query import Filter, OfType, row_line
from aggregate.errors import Unavailable
from aggregate.types.json import canonical
from aggregate.types.queries import WatchEvent

SIGNS = {"row": " ", "added": "+", "changed": "~", "no_longer_matching": "-"}


@connects
def watch(
    text: Filter = "",
    *,
    connection: Connection,
    aggregate_type: OfType = "",
    resume: Annotated[str, typer.Option("--resume", metavar="TOKEN", help="Go on after an earlier watch of the same filter.")] = "",
    patience: Annotated[float, typer.Option("--patience", min=0.0, help="Seconds to wait for a node that went away.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Print what matches now (a line each), then what is added (+), changed (~) or matches no longer (-), until Ctrl-C.

    For machines every line is JSON with a `kind`; where it has a `resume_token`, `--resume` goes on after it.
    """
    lines = as_json or not sys.stdout.isatty()

    async def work() -> None:
        token = resume
        async with connection.client() as client:
            try:
                watching = client.watch(text, aggregate_type=aggregate_type, resume_token=resume, patience=patience)
                async with aclosing(watching) as events:
                    async for event in events:
                        token = "" if event.kind == "lagged" else event.resume_token or token
                        write(as_json_line(event) if lines else as_text(event))
            except Unavailable as error:
                if token:
                    raise Unavailable(f"{error}; to go on: --resume {token}", error.reason) from error
                raise

    run(work(), as_json=as_json)


def as_json_line(event: WatchEvent) -> str:
    """An item for machines."""
    more = {"kind": event.kind, **({"resume_token": event.resume_token} if event.resume_token else {})}
    return row_line(event.row, **more) if event.row is not None else canonical(more).decode()


def as_text(event: WatchEvent) -> str:
    """An item for people."""
    row = event.row
    if row is None:
        return "-- up to date --" if event.kind == "caught_up" else "-- begins anew: what stands above is void --"
    return f"{SIGNS[event.kind]} {row.aggregate_type} {row.aggregate_id}  version {row.version}  {row.document.text.decode()}"
