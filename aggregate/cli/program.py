"""`aggregate program`: check, run and test programs of the language without a node."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

import aggregate.engine
from aggregate.cli.exits import ExitCode, code_of, tell
from aggregate.cli.options import AsJson
from aggregate.cli.program_check import check_files
from aggregate.cli.program_run import Inputs, evaluate, run_program
from aggregate.errors import AggregateError
from aggregate.runtime.batch import run_lines

app = typer.Typer(no_args_is_help=True, help="Check, run and test programs.")

Engine = Annotated[str | None, typer.Option("--engine", metavar="NAME", help="native, pure or auto; else as AGGREGATE_ENGINE says.")]
Gas = Annotated[int | None, typer.Option("--gas", min=0, max=2**63 - 1, help="Limit of gas.")]
State = Annotated[str | None, typer.Option("--state", metavar="JSON", help="State; @FILE reads it from a file, - from standard input.")]


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Sources; - is standard input.")],
    kind: Annotated[str, typer.Option("--kind", help="program, filter or expression.")] = "program",
    strict: Annotated[bool, typer.Option("--strict", help="A warning fails too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say every mistake in programs, with its line and a caret, and what is probably not meant."""
    _leave(check_files(files, kind, strict=strict, as_json=as_json))


@app.command("eval")
def eval_(
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="An expression over the state: names are its fields.")],
    state: State = None,
    meta: Annotated[str | None, typer.Option("--meta", metavar="JSON", help="What `meta` is.")] = None,
    as_filter: Annotated[bool, typer.Option("--filter", help="By the rules of filters: null propagates.")] = False,
    gas: Gas = None,
    engine: Engine = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate an expression and print its value as JSON."""
    inputs = Inputs(state=state, meta=meta, gas=gas)
    _leave(_told(as_json, lambda: evaluate(expression, inputs, engine, as_filter=as_filter, as_json=as_json)))


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A program.")],
    command: Annotated[str | None, typer.Option("--command", metavar="JSON", help="Decide this command, apply its events.")] = None,
    events: Annotated[str | None, typer.Option("--events", metavar="JSON", help="Apply this list of events.")] = None,
    state: State = None,
    ctx: Annotated[str | None, typer.Option("--ctx", metavar="JSON", help="What `ctx` is (with --events: `meta`).")] = None,
    gas: Gas = None,
    engine: Engine = None,
    as_json: AsJson = False,
) -> None:
    """Run a program once: --events first, where given, then --command on the state they leave."""
    inputs = Inputs(state=state, command=command, events=events, ctx=ctx, gas=gas)
    _leave(_told(as_json, lambda: run_program(file, inputs, engine, as_json=as_json)))


@app.command("test")
def specs(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH...", help="Spec files, or folders to look for them in.")] = None,
    engine: Engine = None,
    as_json: AsJson = False,
) -> None:
    """Run given/when/then specs (spec.yaml, *_spec.yaml, *_spec.py); show what differs, and the gas of each case."""
    from aggregate.cli.program_specs import run_specs  # noqa: PLC0415 - brings all of the node; the other commands start without it

    _leave(_told(as_json, lambda: run_specs(paths or [Path()], engine, as_json=as_json)))


@app.command()
def batch(engine: Engine = None) -> None:
    """Read cases from standard input, one JSON document a line, and write one outcome a line."""
    _leave(_told(as_json=False, work=lambda: _batch(engine)))


def _batch(engine: str | None) -> ExitCode:
    chosen = aggregate.engine.get(engine)
    output = sys.stdout.buffer
    for line in run_lines(sys.stdin.buffer, chosen):
        output.write(line + b"\n")
        output.flush()
    return ExitCode.DONE


def _told(as_json: bool, work: Callable[[], ExitCode]) -> ExitCode:
    """Do the work; what is raised is told and becomes the exit code."""
    try:
        return work()
    except AggregateError as error:
        tell(error, as_json=as_json)
        return code_of(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; nothing more to say at exit
        return ExitCode.DONE


def _leave(code: ExitCode) -> None:
    if code:
        raise typer.Exit(code)
