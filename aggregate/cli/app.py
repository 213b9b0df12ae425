"""The command line as a whole: which file does what."""

from __future__ import annotations

from typing import Annotated

import typer

from aggregate._version import __version__
from aggregate.cli import config, demo, dev, doctor, events, program, replay, serve, state, submit
from aggregate.cli.exits import EXIT_CODES

app = typer.Typer(
    name="aggregate",
    help="Aggregate: a multi-tenant, event-sourced aggregate node.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"aggregate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")] = False,
) -> None:
    """Aggregate: a multi-tenant, event-sourced aggregate node."""


app.command("serve")(serve.serve)
app.command("dev")(dev.dev)
app.command("demo")(demo.demo)
app.command("submit")(submit.submit)
app.command("events")(events.events)
app.command("state")(state.state)
app.command("replay")(replay.replay)
app.add_typer(program.app, name="program")
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")
