"""`aggregate serve`: a node."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from aggregate.observability.sink import LineSink, descriptor
from aggregate.types.json import canonical

CLOSING = 10.0
"""Seconds that closing may take after DRAIN_TIMEOUT, before the process is ended by force."""

LAST = 5.0
FLUSH = 0.2


def serve(
    config: ConfigPath = None,
    role: Annotated[str | None, typer.Option(help="`node`, or `query`: answer queries alone. Else the setting of that name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a node until Ctrl-C or SIGTERM.

    Then it finishes what is under way (DRAIN_TIMEOUT) and stops; what hangs longer is ended by force. Logs are JSON lines on standard
    output. Without NATS the node waits for it: /health answers, /ready says why it is not ready.
    """
    try:
        settings = Settings.load(config, None, **({"role": role} if role is not None else {}))
    except ConfigError as error:
        tell_mistakes(error, as_json=as_json)
        raise typer.Exit(ExitCode.CONFIG) from None

    async def work() -> None:
        stop = StopSignal()
        # The first line on standard output says where we are; log lines follow it.
        logs = configure_logging(settings, LineSink(descriptor(1), held=True))
        if settings.uses_example:
            structlog.get_logger("aggregate.cli").warning("no manifest is given: serving the bank example")
        try:
            node = Node(settings, log_drops=logs.dropped)
            finished = True
            try:
                await node.start()
                addresses = {"grpc": node.grpc_address, "admin": node.admin_address}
                write(
                    canonical({"serving": addresses}).decode()
                    if as_json
                    else f"serving: gRPC {addresses['grpc']}, admin http://{addresses['admin']}"
                )
                logs.release()
                await stop.unless(node.run())
            finally:
                with limited(settings.drain_timeout + CLOSING):
                    finished = await node.stop()
            if not finished:
                raise typer.Exit(ExitCode.FORCED)
        finally:
            logs.close()

    run(work(), as_json=as_json)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End the process by force where what is done within it takes longer, and tell where it hangs."""
    # A thread in C does it even where nothing of Python runs any more (with exit code 1: it knows no other).
    faulthandler.dump_traceback_later(seconds + LAST, exit=True)
    forced = threading.Timer(seconds, _end_by_force, [seconds, asyncio.get_running_loop()])
    forced.daemon = True
    forced.start()
    try:
        yield
    finally:
        forced.cancel()
        faulthandler.cancel_dump_traceback_later()


def _end_by_force(seconds: float, loop: asyncio.AbstractEventLoop) -> None:
    structlog.get_logger("aggregate.cli").error("ended by force: stopping took too long", seconds=seconds)
    faulthandler.dump_traceback()
    loop.call_soon_threadsafe(_print_tasks)  # where the loop stands still, the stack of its thread says why
    time.sleep(FLUSH)  # the log's own thread writes the line
    os._exit(ExitCode.FORCED)


def _print_tasks() -> None:
    for task in asyncio.all_tasks():
        task.print_stack()
