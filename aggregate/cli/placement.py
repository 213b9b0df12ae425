"""`aggregate placement`: which node serves which tenant, shown, checked and changed."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from aggregate.cli.config import tell_mistakes
from aggregate.cli.exits import ExitCode, run, write
from aggregate.cli.options import AsJson, ConfigPath
from aggregate.config.settings import Settings
from aggregate.errors import ConfigError, Mistake
from aggregate.placement import ConstraintGenerator, TenantPlacementConfig
from aggregate.placement.migration import Migration
from aggregate.placement.moves import Difference, difference
from aggregate.placement.routes import render_nginx, render_traefik
from aggregate.placement.store import BUCKET, PlacementStore, StoredPlacement
from aggregate.stream.bare import BareLog
from aggregate.types import TenantId
from aggregate.types.json import canonical

app = typer.Typer(no_args_is_help=True, help="Which node serves which tenant: show, check and change it.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="Placement document, YAML or JSON.")]
OfFile = Annotated[Path | None, typer.Option("--file", help="Of this document; else of the one in the bucket.")]
Tenants = Annotated[list[str] | None, typer.Option("--tenant", help="A tenant to look at; may be repeated.")]
FromLog = Annotated[bool, typer.Option("--from-log", help="Look at every tenant that has an aggregate in the log too.")]
Servers = Annotated[str, typer.Option("--nats", metavar="URL", help="NATS servers; else as the settings say.")]


class Proxy(StrEnum):
    """A gateway that routes can be rendered for."""

    NGINX = "nginx"
    TRAEFIK = "traefik"


@app.command()
def show(
    tenants: Annotated[list[str] | None, typer.Argument(metavar="[TENANT]...", help="Show where these are.")] = None,
    file: OfFile = None,
    config: ConfigPath = None,
    nats: Servers = "",
    as_json: AsJson = False,
) -> None:
    """Print the placement, or where tenants are."""

    async def work() -> None:
        stored = await _given(file, config, nats)
        placed = stored.config
        for tenant in tenants or ():
            told = {"tenant_id": TenantId(tenant), "node": placed.get_node(tenant), "by": placed.why(tenant)}
            write(canonical(told).decode() if as_json else f"{tenant}  {told['node'] or '-'}  {told['by']}")
        if not tenants and as_json:
            write(placed.to_json().decode())
        elif not tenants:
            write(f"# epoch {placed.epoch}, {f'revision {stored.revision}' if stored.revision else f'of {file}'}")
            write(yaml.safe_dump(placed.to_dict(), sort_keys=False).rstrip())

    _run(work(), as_json)


@app.command()
def validate(file: File, as_json: AsJson = False) -> None:
    """Check a document; every mistake with its place."""

    async def work() -> None:
        placed = TenantPlacementConfig.load(file)
        told = {"nodes": len(placed.nodes), "tenants": len(placed.tenants), "tenant_ranges": len(placed.tenant_ranges)}
        write(canonical(told).decode() if as_json else f"{file} is right: {', '.join(f'{n} {name}' for name, n in told.items())}")

    _run(work(), as_json)


@app.command()
def diff(
    file: File,
    tenant: Tenants = None,
    from_log: FromLog = False,
    config: ConfigPath = None,
    nats: Servers = "",
    as_json: AsJson = False,
) -> None:
    """Say what a document would change, without changing it."""
    _run(_set(file, tenant or [], from_log, config, nats, as_json, dry_run=True), as_json)


@app.command("set")
def set_(
    file: File,
    tenant: Tenants = None,
    from_log: FromLog = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change and leave it.")] = False,
    config: ConfigPath = None,
    nats: Servers = "",
    as_json: AsJson = False,
) -> None:
    """Make a document the placement of all nodes, as the next epoch, and say what moves.

    A document that names an epoch (as `show` prints it) is taken only while that is still the newest. Tenants that move are not drained
    first: nothing is lost by that, their first commands on the new node are slower. `migrate` moves one without that.
    """
    _run(_set(file, tenant or [], from_log, config, nats, as_json, dry_run=dry_run), as_json)


@app.command()
def constraints(file: OfFile = None, config: ConfigPath = None, nats: Servers = "", as_json: AsJson = False) -> None:
    """Print the constraints that put the service of each range on its machines in a Docker Swarm."""

    async def work() -> None:
        placed = (await _given(file, config, nats)).config
        found = ConstraintGenerator().for_placement(placed)
        if as_json:
            write(canonical(found).decode())
        for each in sorted(placed.tenant_ranges) if not as_json else ():
            write(f"{each}  {' '.join(ConstraintGenerator().arguments(each))}")

    _run(work(), as_json)


@app.command()
def routes(
    proxy: Annotated[Proxy, typer.Argument(help="For which gateway.")],
    tenant: Tenants = None,
    from_log: FromLog = False,
    listen: Annotated[
        int, typer.Option("--listen", min=0, max=65535, help="Port of the nginx server; 0: upstreams and map alone.")
    ] = 50051,
    file: OfFile = None,
    config: ConfigPath = None,
    nats: Servers = "",
) -> None:
    """Print the routes that lead each tenant's calls to its node. Tenants that are named get a route of their own."""

    async def work() -> None:
        if file is not None and not from_log:
            placed, known = TenantPlacementConfig.load(file), [TenantId(each) for each in tenant or ()]
        else:
            async with _opened(config, nats) as log:
                placed = (await _given_in(log, file)).config
                known = await _known(log, tenant or [], from_log)
        write((render_nginx(placed, known, listen=listen) if proxy is Proxy.NGINX else render_traefik(placed, known)).rstrip())

    _run(work(), as_json=False)


@app.command()
def migrate(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help='Tenant; "" is the one without a name.')],
    to: Annotated[str, typer.Option("--to", metavar="NODE", help="The node it goes to.")],
    config: ConfigPath = None,
    nats: Servers = "",
    as_json: AsJson = False,
) -> None:
    """Move a tenant to another node: both compare every aggregate, its commands are refused for a moment, and the placement changes.

    Whatever goes wrong, the tenant stays where it is, and the command can be given again.
    """

    async def work() -> None:
        async with _opened(config, nats) as log:
            told = (lambda _: None) if as_json else (lambda step: typer.echo(step, err=True))
            report = await Migration(log, PlacementStore(log.bucket(BUCKET)), TenantId(tenant), to, told).run()
        if as_json:
            write(json.dumps(asdict(report)))
        elif report.moved:
            write(
                f"moved {tenant or '(no tenant)'} from {report.source} to {report.target}: {report.aggregates} aggregates, "
                f"{report.events} events, {report.changed} changed meanwhile; refused for {report.refused_seconds:.3f} s; "
                f"epoch {report.epoch}"
            )

    _run(work(), as_json)


async def _set(file: Path, tenants: Sequence[str], from_log: bool, config: Path | None, nats: str, as_json: bool, *, dry_run: bool) -> None:
    wanted = TenantPlacementConfig.load(file)
    async with _opened(config, nats) as log:
        store = PlacementStore(log.bucket(BUCKET))
        seen: list[TenantPlacementConfig] = []

        def change(now: TenantPlacementConfig) -> TenantPlacementConfig:
            seen.append(now)
            return replacement(now, wanted, file)

        if dry_run:
            found = await store.load()
            stored = StoredPlacement(change(found.config if found is not None else TenantPlacementConfig.from_values({})), 0)
        else:
            stored = await store.update(change)
        changes = difference(seen[-1], stored.config, await _known(log, tenants, from_log))
    _tell(changes, stored, seen[-1], as_json=as_json)


def replacement(now: TenantPlacementConfig, wanted: TenantPlacementConfig, file: Path) -> TenantPlacementConfig:
    """What takes the place of the document there is: the migrations under way stay. Raises ConfigError."""
    if wanted.epoch and wanted.epoch != now.epoch:
        why = f"it was made of epoch {wanted.epoch}, the placement is at {now.epoch} by now; look at it again, or leave `epoch` out"
        raise ConfigError([Mistake(str(file), why)])
    members: dict[str, Any] = {name: value for name, value in wanted.to_dict().items() if name != "draining"}
    draining = now.to_dict().get("draining")
    full = {**members, **({"draining": draining} if draining else {})}
    same = TenantPlacementConfig.from_values({**full, "epoch": now.epoch})
    return now if same == now else TenantPlacementConfig.from_values({**full, "epoch": now.epoch + 1})


def _tell(changes: Difference, stored: StoredPlacement, before: TenantPlacementConfig, *, as_json: bool) -> None:
    if as_json:
        moves = [{"tenant_id": each.tenant, "from": each.before, "to": each.after} for each in changes.moves]
        told = {"written": bool(stored.revision) and stored.config != before, "epoch": stored.config.epoch, "moves": moves}
        write(canonical({**told, "share": f"{changes.share:.4f}", "nodes": list(changes.nodes)}).decode())
        return
    for line in changes.nodes:
        write(line)
    for each in changes.moves:
        write(f"{each.tenant or '(no tenant)'}: {each.before or '-'} -> {each.after or '-'}")
    write(f"of all tenants one could name {100 * changes.share:.1f} % would move" if changes.share else "no other tenant would move")
    if stored.config == before:
        write(f"nothing to change: epoch {before.epoch} says the same")
    else:
        write(
            f"epoch {stored.config.epoch} is written" if stored.revision else f"it would be epoch {stored.config.epoch}; nothing is written"
        )


async def _known(log: BareLog, tenants: Sequence[str], from_log: bool) -> list[TenantId]:
    return sorted({*map(TenantId, tenants), *(await log.tenants() if from_log else ())})


async def _given(file: Path | None, config: Path | None, nats: str) -> StoredPlacement:
    if file is not None:
        return StoredPlacement(TenantPlacementConfig.load(file), 0)
    async with _opened(config, nats) as log:
        return await _given_in(log, None)


async def _given_in(log: BareLog, file: Path | None) -> StoredPlacement:
    if file is not None:
        return StoredPlacement(TenantPlacementConfig.load(file), 0)
    stored = await PlacementStore(log.bucket(BUCKET)).load()
    if stored is None:
        raise ConfigError([Mistake("placement", "there is none yet; `aggregate placement set FILE` makes one")])
    return stored


@asynccontextmanager
async def _opened(config: Path | None, nats: str) -> AsyncGenerator[BareLog, None]:
    settings = Settings.load(config, nats_url=nats) if nats else Settings.load(config)
    async with BareLog.connect(settings) as log:
        yield log


def _run(work: Any, as_json: bool) -> None:
    """As `run`; the mistakes of a document each on a line of its own."""

    async def telling() -> None:
        try:
            await work
        except ConfigError as error:
            tell_mistakes(error, as_json=as_json)
            raise typer.Exit(ExitCode.CONFIG) from None

    run(telling(), as_json=as_json)
