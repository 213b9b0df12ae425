"""The command line. `main` is the installed command `aggregate`."""

from __future__ import annotations

import sys

from aggregate.errors import ConfigError


def main() -> None:
    """Run the command that the arguments name."""
    try:
        from aggregate.cli.app import app  # noqa: PLC0415 - importing a part of the CLI must not import all of it
    except ConfigError as error:  # a compiled part that is demanded and not there
        print(error, file=sys.stderr)
        sys.exit(3)

    app()


__all__ = ["main"]
