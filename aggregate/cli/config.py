"""`aggregate config`: what a node would be told, and what it can be told."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from aggregate.cli.exits import ExitCode, tell, write
from aggregate.cli.options import AsJson, ConfigPath
from aggregate.config.schema import manifest_schema, settings_schema
from aggregate.config.settings import Settings
from aggregate.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Show settings and their schema.")


@app.command()
def show(config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Print every setting as a node would take it from environment, file and defaults; secrets as ***."""
    try:
        settings = Settings.load(config)
    except ConfigError as error:
        tell_mistakes(error, as_json=as_json)
        raise typer.Exit(ExitCode.CONFIG) from None
    shown = settings.shown()
    if as_json:
        write(json.dumps(shown))
    else:
        width = max(map(len, shown))
        for name, value in shown.items():
            write(f"{name:<{width}}  {json.dumps(value)}")


@app.command()
def schema(manifest: Annotated[bool, typer.Option("--manifest", help="Of the manifest alone.")] = False) -> None:
    """Print the JSON Schema of the settings file (`aggregates` in it is the manifest's)."""
    write(json.dumps(manifest_schema() if manifest else settings_schema(), indent=2))


def tell_mistakes(error: ConfigError, *, as_json: bool) -> None:
    """Every mistake on a line of its own."""
    if as_json:
        tell(error, as_json=True)
        return
    for mistake in error.mistakes:
        typer.secho(str(mistake), err=True, fg=typer.colors.RED)
