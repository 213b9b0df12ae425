"""The command line. `main` is the installed command `aggregate`."""

from __future__ import annotations

import sys

from aggregate.errors import ConfigError


def main() -> None:
    """Run the command that the arguments name."""
    from aggregate.cli.app import app  # noqa: PLC0415 - importing a part of the CLI must not import all of it

    try:
        app()
    except ConfigError as error:  # a compiled part that is demanded and not there: found when a command is loaded
        print(error, file=sys.stderr)
        sys.exit(3)


__all__ = ["main"]
