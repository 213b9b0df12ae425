"""`aggregate serve`: a node."""

from __future__ import annotations

import faulthandler
from typing import Annotated

import structlog
import typer

from aggregate.cli.config import tell_mistakes
from aggregate.cli.exits import ExitCode, run, write
from aggregate.cli.options import AsJson, ConfigPath
from aggregate.cli.signals import StopSignal
from aggregate.config.settings import Settings
from aggregate.errors import ConfigError
from aggregate.node import Node
from aggregate.observability.logs import configure_logging
from aggregate.types.json import canonical

CLOSING = 10.0
"""Seconds that closing may take after DRAIN_TIMEOUT, before the process is ended by force."""


def serve(
    config: ConfigPath = None,
    role: Annotated[str | None, typer.Option(help="`node`, or `query`: answer queries alone. Else the setting of that name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a node until Ctrl-C or SIGTERM.

    Then it finishes what is under way (DRAIN_TIMEOUT) and stops; what hangs longer is ended by force. Logs are JSON lines on standard
    error. Without NATS the node waits for it: /health answers, /ready says why it is not ready.
    """
    try:
        settings = Settings.load(config, None, **({"role": role} if role is not None else {}))
    except ConfigError as error:
        tell_mistakes(error, as_json=as_json)
        raise typer.Exit(ExitCode.CONFIG) from None

    async def work() -> None:
        stop = StopSignal()
        sink = configure_logging(settings)
        if settings.uses_example:
            structlog.get_logger("aggregate.cli").warning("no manifest is given: serving the bank example")
        try:
            node = Node(settings)
            try:
                await node.start()
                addresses = {"grpc": node.grpc_address, "admin": node.admin_address}
                write(
                    canonical({"serving": addresses}).decode()
                    if as_json
                    else f"serving: gRPC {addresses['grpc']}, admin http://{addresses['admin']}"
                )
                await stop.unless(node.run())
            finally:
                # A thread in C ends us even where the event loop stands still, and tells where.
                faulthandler.dump_traceback_later(settings.drain_timeout + CLOSING, exit=True)
                await node.stop()
                faulthandler.cancel_dump_traceback_later()
        finally:
            sink.close()

    run(work(), as_json=as_json)
