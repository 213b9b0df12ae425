"""How a command of the CLI ends: exit codes, and the one line that says why."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Coroutine
from enum import IntEnum
from typing import Any

import typer

from aggregate.errors import AggregateError, CompileError, ConfigError, ValidationError
from aggregate.types.json import canonical


class ExitCode(IntEnum):
    """What the exit code says; printed by `aggregate --help`."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    CONFIG = 3
    UNAVAILABLE = 4
    INTERNAL = 5
    FORCED = 6


EXIT_CODES = (
    "exit codes: 0 done (also Ctrl-C and SIGTERM of a server); 1 refused (rejected by the program, not found, a check failed); "
    "2 wrong usage; 3 configuration (settings, manifest, program, a port in use, nats-server missing); "
    "4 not reachable or too busy, try again; 5 internal fault; "
    "6 a server that was stopped with work under way, because it took longer than it may"
)


def code_of(error: BaseException) -> ExitCode:
    """The exit code of an error."""
    match error:
        case ConfigError() | CompileError():
            return ExitCode.CONFIG
        case AggregateError(status="INTERNAL") | AggregateError(status="UNKNOWN"):
            return ExitCode.INTERNAL
        case AggregateError(retryable=True) if error.status != "ABORTED":
            return ExitCode.UNAVAILABLE
        case AggregateError(status="DEADLINE_EXCEEDED"):
            return ExitCode.UNAVAILABLE
        case AggregateError():
            return ExitCode.REFUSED
    return ExitCode.INTERNAL


def tell(error: AggregateError, *, as_json: bool) -> None:
    """Say what went wrong: for people on standard error, on one line unless a place in a text is shown; as a JSON line on standard output
    for machines.
    """
    if as_json:
        told = {
            "code": error.code,
            "reason": error.reason,
            "message": str(error),
            "status": error.status,
            "retryable": error.retryable,
            "details": error.details,
        }
        write(canonical({"error": told}).decode())
    else:
        shown = str(error) if isinstance(error, ValidationError) else str(error).replace("\n", "; ")
        typer.secho(f"{error.code.replace('_', ' ')}: {shown}", err=True, fg=typer.colors.RED)


def write(line: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(work: Coroutine[Any, Any, None], *, as_json: bool = False) -> None:
    """Run a command's coroutine on the fastest loop there is; its errors become one line and an exit code."""
    try:
        _run(work)
    except AggregateError as error:
        tell(error, as_json=as_json)
        raise typer.Exit(code_of(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.DONE) from None
    except typer.Exit:
        raise
    except BrokenPipeError:
        # Whoever read us has gone (`| head`); Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.DONE) from None
    except Exception:  # noqa: BLE001 - a defect of ours: whoever reports it needs all of it
        traceback.print_exc()
        raise typer.Exit(ExitCode.INTERNAL) from None


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop  # noqa: PLC0415 - where it is installed
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
