"""The command line run as it is, in a thread of its own, against a server of the test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from aggregate.cli.app import app
from tests.gateway.conftest import gateway, handler, settings

__all__ = ["gateway", "handler", "settings"]


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Cli:
    async def __call__(self, *arguments: str, stdin: str | None = None, env: dict[str, str] | None = None) -> Ended:
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), input=stdin, env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Cli:
    monkeypatch.chdir(str(tmp_path))  # no settings file of the folder that the tests were started in
    return Cli()
