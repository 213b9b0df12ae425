"""The command line. `main` is the installed command `aggregate`."""

from __future__ import annotations


def main() -> None:
    """Run the command that the arguments name."""
    from aggregate.cli.app import app  # noqa: PLC0415 - importing a part of the CLI must not import all of it

    app()


__all__ = ["main"]
