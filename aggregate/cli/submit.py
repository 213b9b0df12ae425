"""`aggregate submit`: one command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from aggregate.cli.exits import run, write
from aggregate.cli.options import AsJson, Connection, Type, connects
from aggregate.types import AggregateId, Receipt
from aggregate.types.json import canonical

NEW = "new"


@connects
def submit(
    *,
    aggregate_type: Type,
    aggregate_id: Annotated[str, typer.Argument(metavar="ID", help="Aggregate id, a UUID; `new` makes one.")],
    payload: Annotated[str, typer.Argument(metavar="PAYLOAD", help="The command as JSON with a `type`; `@file` reads it, `-` from stdin.")],
    connection: Connection,
    command_id: Annotated[str, typer.Option("--command-id", help="A UUID; sending it again never does it twice.")] = "",
    expected_version: Annotated[int | None, typer.Option("--expect", min=0, help="Only if the aggregate is at this version.")] = None,
    metadata: Annotated[list[str] | None, typer.Option("--metadata", metavar="NAME=VALUE", help="A note kept with the events.")] = None,
    as_json: AsJson = False,
) -> None:
    """Submit a command and print what came of it.

    A rejected command ends with exit code 1, its reason on standard error.
    """
    notes = dict(_note(text) for text in metadata or [])
    text = _read(payload)

    async def work() -> None:
        async with connection.client() as client:
            target = AggregateId.new_v7() if aggregate_id == NEW else aggregate_id
            receipt = await client.submit(
                aggregate_type, target, text, command_id=command_id, metadata=notes, expected_version=expected_version
            )
        for line in as_json_lines(receipt) if as_json else as_text(receipt):
            write(line)

    run(work(), as_json=as_json)


def as_json_lines(receipt: Receipt) -> list[str]:
    """A receipt for machines."""
    told = {
        "command_id": receipt.command_id,
        "tenant_id": receipt.tenant_id,
        "aggregate_type": receipt.aggregate_type,
        "aggregate_id": receipt.aggregate_id,
        "version": int(receipt.version),
        "position": receipt.position,
        "duplicate": receipt.duplicate,
        "gas_used": receipt.gas_used,
        "events": [event.to_dict() for event in receipt.events],
    }
    return [canonical(told).decode()]


def as_text(receipt: Receipt) -> list[str]:
    """A receipt for people."""
    again = " (decided before)" if receipt.duplicate else ""
    first = f"accepted{again}  {receipt.aggregate_type} {receipt.aggregate_id}  version {receipt.version}  gas {receipt.gas_used}"
    return [first, *(f"  {int(event.version):>4}  {event.event_type}  {event.payload.text.decode()}" for event in receipt.events)]


def _note(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"expected NAME=VALUE, got {text!r}", param_hint="--metadata")
    return name, value


def _read(payload: str) -> str:
    try:
        if payload == "-":
            return sys.stdin.read()
        return Path(payload[1:]).read_text() if payload.startswith("@") else payload
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{payload} cannot be read: {error}", param_hint="PAYLOAD") from error
