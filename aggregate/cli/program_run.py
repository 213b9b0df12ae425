"""What `aggregate program run` and `aggregate program eval` do. Arguments reach the engine as they were typed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import typer

import aggregate.engine
from aggregate.cli.exits import ExitCode, write
from aggregate.cli.program_check import read_source, render
from aggregate.engine.interface import Engine, Program, State
from aggregate.engine.pure.failure import Failure
from aggregate.errors import CompileError, ConfigError, ErrorRecord, Mistake
from aggregate.language import compile as compile_source
from aggregate.runtime.batch import APPLY_GAS, DECIDE_GAS
from aggregate.runtime.raw import elements


@dataclass(frozen=True, slots=True)
class Inputs:
    """Arguments as JSON text, `@FILE` or `-`; None where not given."""

    state: str | None = None
    command: str | None = None
    events: str | None = None
    ctx: str | None = None
    meta: str | None = None
    gas: int | None = None

    def text(self, name: str, otherwise: bytes) -> bytes:
        """The text of an argument."""
        value: str | None = getattr(self, name)
        if value is None:
            return otherwise
        if value == "-":
            return sys.stdin.buffer.read()
        if not value.startswith("@"):
            return value.encode("utf-8", "surrogateescape")
        try:
            return Path(value[1:]).read_bytes()
        except OSError as error:
            raise ConfigError([Mistake(f"--{name}", f"{value[1:]} cannot be read: {error.strerror}")]) from error


def evaluate(expression: str, inputs: Inputs, engine: str | None, *, as_filter: bool, as_json: bool) -> ExitCode:
    """Print the value of an expression."""
    chosen = aggregate.engine.get(engine)
    program = _load(chosen, expression, "filter" if as_filter else "expression", "EXPR", as_json=as_json)
    if program is None:
        return ExitCode.REFUSED
    found = program.evaluate(inputs.text("state", b"null"), inputs.text("meta", b"{}"), _limit(inputs.gas, DECIDE_GAS))
    if found.value is None:
        return _failed(found.error or b"", found.gas, "EXPR", as_json=as_json)
    write(_line("ok", found.value, found.gas) if as_json else found.value.decode())
    return ExitCode.DONE


def run_program(file: Path, inputs: Inputs, engine: str | None, *, as_json: bool) -> ExitCode:
    """Apply events, decide a command, and print what comes of it."""
    if inputs.command is None and inputs.events is None:
        typer.secho("nothing to run: give --command, --events or both", err=True, fg=typer.colors.RED)
        return ExitCode.USAGE
    try:
        source = read_source(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Mistake(str(file), f"cannot be read: {error}")]) from error
    chosen = aggregate.engine.get(engine)
    program = _load(chosen, source, "program", str(file), as_json=as_json)
    if program is None:
        return ExitCode.REFUSED
    state, gas = chosen.state(inputs.text("state", b"null")), 0
    if inputs.events is not None:
        try:
            events = elements(inputs.text("events", b"[]"), "events")
        except Failure as failure:
            return _failed(failure.record(0), 0, "--events", as_json=as_json)
        fold = program.fold(state, events, _limit(inputs.gas, APPLY_GAS), inputs.text("ctx", b"{}"))
        if fold.error is not None:
            return _failed(fold.error, fold.gas, str(file), as_json=as_json)
        state, gas = fold.state, fold.gas
    if inputs.command is not None:
        return _decide(program, state, gas, inputs, str(file), as_json=as_json)
    if as_json:
        write(_line("ok", b'{"state":%s}' % state.json(), gas))
    else:
        write(f"state  {state.json().decode()}\ngas    {gas}")
    return ExitCode.DONE


def _decide(program: Program, state: State, before: int, inputs: Inputs, name: str, *, as_json: bool) -> ExitCode:
    command, ctx, limit = inputs.text("command", b""), inputs.text("ctx", b"{}"), _limit(inputs.gas, DECIDE_GAS)
    if program.has_apply:
        decision = program.execute(state, command, ctx, limit, _limit(inputs.gas, APPLY_GAS))
        events, rejection, error, gas = decision.events, decision.rejection, decision.error, before + decision.gas
        after = decision.state
    else:
        decided = program.decide(state, command, ctx, limit)
        rejection, error, gas, after = decided.rejection, decided.error, before + decided.gas, None
        events = elements(decided.value, "events") if decided.value is not None else []
    if error is not None:
        return _failed(error, gas, name, as_json=as_json)
    if rejection is not None:
        if as_json:
            write(_line("rejected", rejection, gas))
        else:
            read = json.loads(rejection)
            typer.secho(f"rejected  {read['code']}: {read['message']}", fg=typer.colors.YELLOW)
            write(f"details   {rejection.decode()}\ngas       {gas}")
        return ExitCode.REFUSED
    if as_json:
        state_part = b',"state":%s' % after.json() if after is not None else b""
        write(_line("ok", b'{"events":[%s]%s}' % (b",".join(events), state_part), gas))
    else:
        for event in events:
            write(f"event  {event.decode()}")
        if after is not None:
            write(f"state  {after.json().decode()}")
        write(f"gas    {gas}")
    return ExitCode.DONE


def _load(engine: Engine, source: str, kind: str, name: str, *, as_json: bool) -> Program | None:
    """The compiled source; None when it has mistakes, which are then told."""
    try:
        return engine.load(compile_source(source, kind))
    except CompileError as error:
        if as_json:
            members = {part: getattr(error.record, part) for part in ErrorRecord.__slots__}
            write(_line("error", json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode(), 0))
        else:
            typer.secho(render(name, source, error.records), err=True, fg=typer.colors.RED)
        return None


def _failed(record: bytes, gas: int, name: str, *, as_json: bool) -> ExitCode:
    if as_json:
        write(_line("error", record, gas))
    else:
        typer.secho(f"{name}: {ErrorRecord.from_json(record)} (gas {gas})", err=True, fg=typer.colors.RED)
    return ExitCode.REFUSED


def _line(word: str, body: bytes, gas: int) -> str:
    return '{"%s":%s,"gas":%d}' % (word, body.decode(), gas)  # noqa: UP031 - braces


def _limit(gas: int | None, otherwise: int) -> int:
    return otherwise if gas is None else gas
