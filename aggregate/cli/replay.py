"""`aggregate replay`: history read again, and held against what the programs say now, or what another program would say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import aggregate.engine
from aggregate.cli.exits import ExitCode, run, write
from aggregate.cli.options import AsJson, ConfigPath
from aggregate.config import Settings
from aggregate.errors import ConfigError, Mistake, StorageError, Unavailable, ValidationError
from aggregate.handler.findings import Finding, Replayed, Tally
from aggregate.handler.replay import Replay, each, select
from aggregate.handler.what_if import WhatIf, another_program
from aggregate.runtime import ProgramSet, RuntimeExecutor, TypeProgram
from aggregate.storage.reader import SnapshotReader
from aggregate.stream import StreamClient
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId

SHOWN = 20
CUT = 240
"""Characters of a value that people are shown; machines get all of it."""

Position = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which aggregates; None: any."""

    tenant_id: TenantId | None
    aggregate_type: AggregateType | None
    aggregate_id: AggregateId | None
    limit: int


def replay(
    aggregate_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One aggregate's id, in whatever tenant it is.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help='All of a tenant; "" is the tenant of nodes without tenants.')] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of every tenant.")] = False,
    aggregate_type: Annotated[str | None, typer.Option("--type", help="Only aggregates of this type.")] = None,
    program: Annotated[
        Path | None, typer.Option("--program", metavar="FILE", help="Say what this program would change instead, before a rollout.")
    ] = None,
    decisions: Annotated[bool, typer.Option("--decisions/--no-decisions", help="Whether recorded commands are decided again.")] = True,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many aggregates; 0: all.")] = 0,
    show: Annotated[int, typer.Option("--show", min=0, help="How many findings are shown to people; all are counted.")] = SHOWN,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Read history again and say what does not come out as it stands.

    Talks to NATS itself, with the settings of `serve`, and writes nothing; the node may run. Every aggregate is folded from its first
    event and compared with the newest snapshot in the storage folder (where there is one); every recorded command is decided again by the
    program that decided it: events, refusals and gas must be the same. Exit code 0: all is equal; 1: something is not.
    """
    if (aggregate_id is None) + (tenant is None) + (not everything) == 3:
        raise typer.BadParameter("name an ID, a --tenant, or --all", param_hint="ID")
    if everything and (aggregate_id is not None or tenant is not None):
        raise typer.BadParameter("--all goes with neither an ID nor --tenant", param_hint="--all")
    tally = Tally()

    async def work() -> None:
        selection = Selection(
            None if tenant is None else TenantId(tenant),
            None if aggregate_type is None else AggregateType(aggregate_type),
            None if aggregate_id is None else AggregateId(aggregate_id),
            limit,
        )
        try:
            async with _opened(config, selection, program, decisions=decisions) as (stream, one, narrowed):
                await _tell(stream, narrowed, one, tally, show=show, as_json=as_json)
        except asyncio.CancelledError:  # Ctrl-C: its exit code must not be taken for "all is equal"
            raise Unavailable("stopped before the end: nothing is known of the rest", "stopped") from None
        write(_summary_line(tally) if as_json else _summary(tally, program))

    run(work(), as_json=as_json)
    if tally.concerned or (aggregate_id is not None and not tally.aggregates):
        raise typer.Exit(ExitCode.REFUSED)


@asynccontextmanager
async def _opened(
    config: Path | None, selection: Selection, program: Path | None, *, decisions: bool
) -> AsyncIterator[tuple[StreamClient, Callable[[AggregateKey], Awaitable[Replayed]], Selection]]:
    """The log, what is to be done with each aggregate, and with which ones."""
    settings = Settings.load(config)
    executor = RuntimeExecutor(aggregate.engine.get(settings.engine), gas_decide=settings.gas_decide, gas_apply=settings.gas_apply)
    programs = executor.load(settings.load_manifest())
    now = None if program is None else _type_of(programs, selection)
    new = None if program is None or now is None else another_program(executor, now, _source(program), str(program))
    async with AsyncExitStack() as parts:
        # A log that promises little can be read all the same; and nothing is made by looking.
        stream = await StreamClient.of_settings(settings.model_copy(update={"durability": "warn"}), create=False)
        parts.push_async_callback(stream.close)
        if reasons := stream.reasons():
            raise Unavailable("; ".join(reasons))
        if now is not None and new is not None:
            narrowed = Selection(selection.tenant_id, now.type, selection.aggregate_id, selection.limit)
            yield stream, WhatIf(stream, now, new, decisions=decisions).aggregate, narrowed
            return
        snapshots = None
        try:
            snapshots = parts.enter_context(SnapshotReader(settings.storage_path))
        except StorageError as error:
            typer.secho(f"snapshots are not compared: {error}", err=True, fg=typer.colors.YELLOW)
        yield stream, Replay(stream, programs, executor, snapshots, decisions=decisions).aggregate, selection


def _type_of(programs: ProgramSet, selection: Selection) -> TypeProgram:
    """The type that a new program is for."""
    try:
        return programs.only() if selection.aggregate_type is None else programs.get(selection.aggregate_type)
    except ValidationError as error:
        raise ConfigError([Mistake("--type", str(error.description))]) from error


def _source(program: Path) -> str:
    try:
        return program.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Mistake("--program", f"{program} cannot be read: {error}")]) from error


async def _tell(
    stream: StreamClient,
    selection: Selection,
    one: Callable[[AggregateKey], Awaitable[Replayed]],
    tally: Tally,
    *,
    show: int,
    as_json: bool,
) -> None:
    """Go through all of them, with a bar for people; say what was found as it is found."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, disable=as_json or not console.is_terminal) as bar:
        task = bar.add_task("replaying", total=None)

        async def keys() -> AsyncGenerator[AggregateKey, None]:
            count = 0
            async with aclosing(
                select(
                    stream,
                    tenant_id=selection.tenant_id,
                    aggregate_type=selection.aggregate_type,
                    aggregate_id=selection.aggregate_id,
                )
            ) as found:
                async for key, total in found:
                    count += 1
                    bar.update(task, total=min(total, selection.limit or total))
                    yield key
                    if count == selection.limit:
                        return

        texts: list[str] = []
        async with aclosing(keys()) as wanted, aclosing(each(wanted, one)) as done:
            async for replayed in done:
                tally.add(replayed)
                bar.update(task, advance=1, description=f"replaying, {tally.concerned} concerned" if tally.concerned else "replaying")
                if as_json:
                    write(_line(replayed, stream.position))
                else:
                    texts += [_text(replayed.key, finding, stream.position) for finding in replayed.findings[: max(0, show - len(texts))]]
    for text in texts:  # after the bar, which would be torn by them
        write(text)


def _line(replayed: Replayed, position: Position) -> str:
    """One aggregate for machines."""
    key = replayed.key
    findings = [
        {
            "kind": str(each.kind),
            "version": each.version,
            "position": position(each.sequence) if each.sequence else None,
            "command_id": each.command_id or None,
            "stored": each.stored,
            "replayed": each.replayed,
        }
        for each in replayed.findings
    ]
    told = {
        "tenant_id": key.tenant_id,
        "aggregate_type": key.aggregate_type,
        "aggregate_id": key.aggregate_id,
        "version": replayed.version,
        "state_hash": replayed.state_hash,
        "commits": replayed.commits,
        "decided": replayed.decided,
        "snapshot": replayed.snapshot,
        "findings": findings,
    }
    return json.dumps(told, ensure_ascii=False)


def _text(key: AggregateKey, finding: Finding, position: Position) -> str:
    """One finding for people."""
    place = f"  position {position(finding.sequence)}" if finding.sequence else ""
    command = f"  command {finding.command_id}" if finding.command_id else ""
    lines = [f"{finding.kind}  {key}  version {finding.version}{place}{command}"]
    lines += [f"  {name:<8}  {_cut(text)}" for name, text in (("stored", finding.stored), ("replayed", finding.replayed)) if text]
    return "\n".join(lines)


def _cut(text: str) -> str:
    return text if len(text) <= CUT else f"{text[: CUT - 1]}…"


def _summary_line(tally: Tally) -> str:
    told = {
        "aggregates": tally.aggregates,
        "commits": tally.commits,
        "decided": tally.decided,
        "snapshots": tally.snapshots,
        "concerned": tally.concerned,
        "findings": dict(sorted(tally.kinds.items())),
    }
    return json.dumps({"summary": told})


def _summary(tally: Tally, program: Path | None) -> str:
    if not tally.aggregates:
        return "no such aggregates"
    snapshots = "" if program is not None else f", {_count(tally.snapshots, 'snapshot')} compared"
    first = f"{_count(tally.aggregates, 'aggregate')}: {_count(tally.commits, 'commit')} folded, {tally.decided} decided again{snapshots}"
    if not tally.concerned:
        return f"{first}\n{'all equal' if program is None else f'{program} would change nothing'}"
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(tally.kinds.items()))
    what = "do not come out as they stand" if program is None else f"would be changed by {program}"
    return f"{first}\n{tally.concerned} {what}: {kinds}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
