"""`aggregate state`: one aggregate's state, now or in the past."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from aggregate.cli.exits import run, write
from aggregate.cli.options import AsJson, Connection, Id, Type, connects
from aggregate.types import AggregateState
from aggregate.types.json import canonical


@connects
def state(
    *,
    aggregate_type: Type,
    aggregate_id: Id,
    connection: Connection,
    at: Annotated[str, typer.Option("--at", metavar="VERSION|TIME", help="As of a version, or of a time like 2026-01-31T12:00:00Z.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print an aggregate's state, version and hash."""
    version = int(at) if re.fullmatch("[0-9]{1,19}", at) else None

    async def work() -> None:
        async with connection.client() as client:
            found = await client.get(aggregate_type, aggregate_id, at_version=version, at_time="" if version is not None else at)
        write(as_json_line(found) if as_json else as_text(found))

    run(work(), as_json=as_json)


def as_json_line(found: AggregateState) -> str:
    """A state for machines."""
    told = {
        "tenant_id": found.tenant_id,
        "aggregate_type": found.aggregate_type,
        "aggregate_id": found.aggregate_id,
        "version": int(found.version),
        "state": found.state.value,
        "state_hash": found.state_hash,
        "position": found.position,
    }
    return canonical(told).decode()


def as_text(found: AggregateState) -> str:
    """A state for people."""
    first = f"{found.aggregate_type} {found.aggregate_id}  version {found.version}  position {found.position}"
    return f"{first}\nhash {found.state_hash}\n{indented(found.state.value)}"


def indented(value: Any, margin: str = "") -> str:
    """A document on several lines, every number with all its digits."""
    inner = margin + "  "
    match value:
        case dict() if value:
            lines = [f"{inner}{canonical(key).decode()}: {indented(each, inner)}" for key, each in value.items()]
            return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
        case list() if value:
            return "[\n" + ",\n".join(inner + indented(each, inner) for each in value) + f"\n{margin}]"
    return canonical(value).decode()
