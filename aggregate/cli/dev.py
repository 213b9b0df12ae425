"""`aggregate dev`: everything one needs on one machine: an embedded nats-server, a node, and what to try."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from aggregate.cli.config import tell_mistakes
from aggregate.cli.exits import ExitCode, run, write
from aggregate.cli.options import AsJson, ConfigPath
from aggregate.cli.signals import StopSignal
from aggregate.config.settings import Settings
from aggregate.errors import ConfigError
from aggregate.node import Node
from aggregate.observability.logs import configure_logging
from aggregate.observability.sink import LineSink, descriptor
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateId

HOST = "127.0.0.1"
GRPC_PORT, ADMIN_PORT, NATS_PORT = 50051, 8080, 4222
BANK = (
    {"type": "open_account", "initial_balance": 0},
    {"type": "deposit", "amount": 100},
    {"type": "withdraw", "amount": 75},
)


def dev(
    *,
    manifest: Annotated[Path | None, typer.Option("--manifest", help="Manifest of your aggregates; without one the bank example.")] = None,
    data: Annotated[Path, typer.Option("--data", help="Folder of the log and the snapshots; stays, and is gone on with next time.")] = Path(
        "data"
    ),
    grpc_port: Annotated[int, typer.Option("--grpc-port", min=0, max=65535, help="0: any free one.")] = GRPC_PORT,
    admin_port: Annotated[int, typer.Option("--admin-port", min=0, max=65535, help="0: any free one.")] = ADMIN_PORT,
    nats_port: Annotated[int, typer.Option("--nats-port", min=0, max=65535, help="0: any free one.")] = NATS_PORT,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Run a node with a nats-server of its own.

    On loopback only, until Ctrl-C or SIGTERM. Prints one line when it is ready, and commands to try. Logs go to standard error, from
    `warning` on unless AGGREGATE_LOG_LEVEL is set.
    """
    nats = EmbeddedNats(data / "nats", port=nats_port)
    given: dict[str, Any] = {
        "storage_path": data / "storage",
        "grpc_address": f"{HOST}:{grpc_port}",
        "admin_address": f"{HOST}:{admin_port}",
        **({"manifest": manifest} if manifest is not None else {}),
        **({} if "AGGREGATE_LOG_LEVEL" in os.environ else {"log_level": "warning"}),
    }
    try:
        Settings.load(config, nats_url=f"nats://{HOST}", **given)  # what is wrong is said before anything starts
    except ConfigError as error:
        tell_mistakes(error, as_json=as_json)
        raise typer.Exit(ExitCode.CONFIG) from None

    async def work() -> None:
        stop = StopSignal()
        async with nats:
            settings = Settings.load(config, nats_url=nats.url, nats_monitors=nats.monitor_url, **given)
            logs = configure_logging(settings, LineSink(descriptor(2)))  # standard output is for people, or whoever drives us
            node = Node(settings, own_log=True, log_drops=logs.dropped)
            try:
                await node.start()
                if await stop.unless(node.wait_until_ready()):
                    for line in ready_lines(node, nats, data, as_json=as_json):
                        write(line)
                    await stop.unless(node.run())
            finally:
                await node.stop()
                logs.close()

    run(work(), as_json=as_json)


def ready_lines(node: Node, nats: EmbeddedNats, data: Path, *, as_json: bool) -> list[str]:
    """The ready line, and for people what to try."""
    types = sorted(node.types)
    if as_json:
        told = {
            "ready": True,
            "grpc": node.grpc_address,
            "admin": node.admin_address,
            "nats": nats.url,
            "engine": node.engine_name,
            "types": types,
            "data": str(data),
        }
        return [json.dumps(told)]
    ready = (
        f"ready: {', '.join(types)} on gRPC {node.grpc_address}, admin http://{node.admin_address}, NATS {nats.url}, "
        f"engine {node.engine_name}, data in {data}"
    )
    return [ready, "try, in another terminal:", *(f"  {line}" for line in to_try(node))]


def to_try(node: Node) -> list[str]:
    """Commands that work against this node."""
    program = "aggregate" if Path(sys.argv[0]).name == "aggregate" else f"{shlex.quote(sys.executable)} -m aggregate"
    where = "" if node.grpc_address == f"{HOST}:{GRPC_PORT}" else f" --node {node.grpc_address}"
    kind = "Account" if node.serves_bank else sorted(node.types)[0]
    account = AggregateId.new_v7()
    commands = BANK if node.serves_bank else ({"type": "..."},)
    return [
        *(f"{program} submit {kind} {account} {shlex.quote(json.dumps(command))}{where}" for command in commands),
        f"{program} state {kind} {account}{where}",
        f"{program} events {kind} {account}{where}",
        f"curl http://{node.admin_address}/health",
    ]
