"""`aggregate events`: the history of one aggregate, and what is added to it."""

from __future__ import annotations

from typing import Annotated

import typer

from aggregate.cli.exits import run, write
from aggregate.cli.options import AsJson, Connection, Id, Type, connects
from aggregate.errors import Unavailable
from aggregate.types import Event
from aggregate.types.json import canonical


@connects
def events(
    *,
    aggregate_type: Type,
    aggregate_id: Id,
    connection: Connection,
    after: Annotated[int, typer.Option("--after", min=0, help="Only events after this version.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many; 0: all.")] = 0,
    start: Annotated[
        str, typer.Option("--from", metavar="POSITION", help="With --follow: only what comes after this position (of an event or a reply).")
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with each event as it comes, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the events of an aggregate, oldest first."""
    if follow and limit:
        raise typer.BadParameter("--follow goes on for ever, --limit does not", param_hint="--limit")
    if start and not follow:
        raise typer.BadParameter("a position is where --follow starts; --after VERSION leaves out earlier events", param_hint="--from")

    async def work() -> None:
        async with connection.client() as client:
            if not follow:
                for event in await client.read_events(aggregate_type, aggregate_id, after_version=after, limit=limit):
                    write(as_line(event, as_json=as_json))
                return
            reached = start
            try:
                async for stored in client.subscribe(after_position=start, aggregate_types=[aggregate_type], aggregate_ids=[aggregate_id]):
                    for event in stored.events:
                        if event.version > after:
                            write(as_line(event, as_json=as_json))
                    reached = stored.position
            except Unavailable as error:
                if reached:
                    raise Unavailable(f"{error}; to go on: --from {reached}", error.reason) from error
                raise

    run(work(), as_json=as_json)


def as_line(event: Event, *, as_json: bool) -> str:
    """An event for machines or people."""
    if as_json:
        return canonical(event.to_dict()).decode()
    return f"{int(event.version):>6}  {event.timestamp}  {event.event_type}  {event.payload.text.decode()}"
