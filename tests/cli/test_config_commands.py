"""The commands that need no node: help, version, config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aggregate._version import __version__

from .conftest import Cli
from .processes import finished


async def test_the_version(cli: Cli) -> None:
    ended = await cli("--version")
    assert (ended.code, ended.out) == (0, f"aggregate {__version__}\n")


async def test_help_names_every_command_and_the_exit_codes(cli: Cli) -> None:
    ended = await cli("--help")
    assert ended.code == 0
    for name in ("serve", "dev", "demo", "submit", "events", "state", "program", "doctor", "config", "exit codes"):
        assert name in ended.out


@pytest.mark.parametrize("name", ["serve", "dev", "demo", "submit", "events", "state", "doctor", "config", "program"])
async def test_every_command_has_help(cli: Cli, name: str) -> None:
    ended = await cli(name, "--help")
    assert ended.code == 0
    assert "Usage:" in ended.out


async def test_an_unknown_command_is_wrong_usage(cli: Cli) -> None:
    assert (await cli("serv")).code == 2


async def test_config_show_tells_settings_and_no_secrets(cli: Cli) -> None:
    env = {"AGGREGATE_NATS_URL": "nats://bob:hunter2@localhost:4222", "AGGREGATE_ADMIN_TOKEN": "hunter3"}
    ended = await cli("config", "show", env=env)
    assert ended.code == 0
    assert "snapshot_threshold" in ended.out
    assert "hunter" not in ended.out
    machine = json.loads((await cli("config", "show", "--json", env=env)).out)
    assert machine["admin_token"] == "***"
    assert machine["max_retries"] == 5


async def test_every_mistake_in_the_settings_is_told_at_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "aggregate.yaml").write_text("max_retires: 3\nsnapshot_threshold: 0\n")
    ended = await cli("config", "show")
    assert ended.code == 3
    assert len(ended.err.splitlines()) == 3
    assert "max_retries" in ended.err  # the nearest name
    assert "aggregate.yaml:2" in ended.err
    assert "nats_url" in ended.err.lower()


async def test_config_schema_is_a_json_schema(cli: Cli) -> None:
    settings = json.loads((await cli("config", "schema")).out)
    assert {"nats_url", "aggregates"} <= set(settings["properties"])
    manifest = json.loads((await cli("config", "schema", "--manifest")).out)
    assert set(manifest["properties"]) == {"aggregates"}


async def test_a_native_engine_that_is_demanded_and_not_there_is_one_clear_line(tmp_path: Path) -> None:
    code = "import sys; sys.modules['aggregate.engine._keys'] = None; from aggregate.cli import main; main()"
    exit_code, out, err = await finished("serve", cwd=tmp_path, code=code, AGGREGATE_ENGINE="native")
    assert (exit_code, out) == (3, "")
    [line] = err.splitlines()
    assert line.startswith("AGGREGATE_ENGINE: the native engine is asked for, but aggregate.engine._keys is not built")
