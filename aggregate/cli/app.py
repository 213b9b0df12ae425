"""The command line as a whole: which file does what. A file is loaded when its command is asked for, so that each starts quickly."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from aggregate._version import __version__
from aggregate.cli.exits import EXIT_CODES

COMMANDS = ("serve", "dev", "demo", "submit", "events", "state", "query", "watch", "replay", "program", "placement", "doctor", "config")
"""In the order of the help. `aggregate.cli.<name>` has a function `<name>`, or an `app` of subcommands."""


_STYLE: Any = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}


class Commands(typer.core.TyperGroup):
    """The commands, loaded one by one."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All there are."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, None where there is none."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.add_command(_load(cmd_name), cmd_name)
        return super().get_command(ctx, cmd_name)


def _load(name: str) -> Any:
    module = import_module(f"aggregate.cli.{name}")
    around = typer.Typer(**_STYLE)
    if hasattr(module, "app"):
        around.add_typer(module.app, name=name)
    else:
        around.command(name)(getattr(module, name))
    return typer.main.get_group(around).commands[name]


app = typer.Typer(
    cls=Commands,
    name="aggregate",
    help="Aggregate: a multi-tenant, event-sourced aggregate node.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    **_STYLE,
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
