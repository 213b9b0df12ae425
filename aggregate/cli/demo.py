"""`aggregate demo`: the bank on a real node, in one command: what `make demo` runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from aggregate.cli.exits import run, write
from aggregate.cli.options import AsJson
from aggregate.client import AggregateClient
from aggregate.errors import AggregateError, Rejected, Unavailable
from aggregate.types import AggregateId, Receipt
from aggregate.types.json import canonical

TYPE = "Account"
STEPS: tuple[dict[str, Any], ...] = (
    {"type": "open_account", "initial_balance": 0},
    {"type": "deposit", "amount": 100},
    {"type": "deposit", "amount": 50},
    {"type": "withdraw", "amount": 75},
    {"type": "withdraw", "amount": 1000},
)
BALANCE = 75
REFUSAL = "insufficient_funds"


class DemoFailed(AggregateError):
    """The node did not do what the demo shows."""

    code = "demo_failed"
    status = "FAILED_PRECONDITION"


def demo(
    data: Annotated[Path, typer.Option("--data", help="Folder of the log; stays, and is gone on with next time.")] = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Play the bank on a real node, and stop it.

    Starts a node and a nats-server on free ports, plays the bank over gRPC and reads everything back. Each run opens a new account; a
    second run on the same folder goes on with its history.
    """
    folder = data.absolute()
    folder.mkdir(parents=True, exist_ok=True)

    async def work() -> None:
        told: dict[str, Any] = {}
        async with running_node(folder) as node, AggregateClient(node["grpc"]) as client:
            await play(client, node, told, (lambda _: None) if as_json else write)
        if as_json:
            write(canonical(told).decode())
        else:
            write(f"\nnode stopped; the history stays in {data}: run this again and it goes on")

    run(work(), as_json=as_json)


async def play(client: AggregateClient, node: dict[str, Any], told: dict[str, Any], say: Any) -> None:
    """The scenario; fills `told` and raises where the node does otherwise."""
    account = AggregateId.new_v7()
    outcomes: list[dict[str, Any]] = []
    say(f"node     gRPC {node['grpc']}, {node['nats']}, engine {node['engine']}")
    first = await client.submit(TYPE, account, STEPS[0])
    held = await commits_before(client, first)
    say(f"history  {node['data']} already held {held} commit{'' if held == 1 else 's'}")
    say(f"account  {account}\n")
    for number, step in enumerate(STEPS):
        words = " ".join(str(value) for value in step.values())
        try:
            receipt = first if number == 0 else await client.submit(TYPE, account, step)
        except Rejected as error:
            outcomes.append({"command": step, "rejected": error.rejection_code})
            say(f"  {words:<16} rejected  {error}")
        else:
            outcomes.append({"command": step, "version": int(receipt.version)})
            say(f"  {words:<16} accepted  version {receipt.version}")
    state = await client.get(TYPE, account)
    say(f"\nbalance  {state.state.value['balance']} at version {state.version}, state hash {state.state_hash[:16]}…\n")
    events = await client.read_events(TYPE, account)
    for event in events:
        say(f"  {int(event.version)}  {event.timestamp}  {event.payload.text.decode()}")
    told |= {
        "engine": node["engine"],
        "commits_held": held,
        "account": account,
        "outcomes": outcomes,
        "balance": state.state.value["balance"],
        "state_hash": state.state_hash,
        "events": [event.to_dict() for event in events],
    }
    expected: list[dict[str, Any]] = [{"command": step, "version": number} for number, step in enumerate(STEPS[:-1], 1)]
    expected.append({"command": STEPS[-1], "rejected": REFUSAL})
    if outcomes != expected or told["balance"] != BALANCE or [int(event.version) for event in events] != [1, 2, 3, 4]:
        raise DemoFailed(f"the node did otherwise than the demo shows: {outcomes}, balance {told['balance']}, {len(events)} events")


async def commits_before(client: AggregateClient, first: Receipt) -> int:
    """How many commits with events the log holds before `first`, counted by reading it from its beginning."""
    seen: set[str] = set()
    async for stored in client.subscribe():
        for event in stored.events:
            if event.command_id == first.command_id:
                return len(seen)
            seen.add(event.command_id)
    raise Unavailable("the log ended before the event that was just stored")


@asynccontextmanager
async def running_node(folder: Path) -> AsyncIterator[dict[str, Any]]:
    """`aggregate dev` as a process of its own on free ports; what its ready line says.

    Raises:
        DemoFailed: it did not start (it has said why on standard error).
    """
    ports = [part for name in ("grpc", "admin", "nats") for part in (f"--{name}-port", "0")]
    # The demo is of the bank, whatever settings lie around.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGGREGATE_") or name == "AGGREGATE_ENGINE"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aggregate", "dev", "--data", str(folder), *ports, "--json"),
        stdout=asyncio.subprocess.PIPE,
        cwd=folder,
        env=kept,
    )
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        ready = json.loads(line) if line else {}
        if "grpc" not in ready:
            raise DemoFailed(ready.get("error", {}).get("message", "the node did not start"))
        yield ready
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        code = await process.wait()
    if code != 0:
        raise DemoFailed(f"the node ended with exit code {code}")
