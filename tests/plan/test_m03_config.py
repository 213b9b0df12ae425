"""Plan, milestone 3: configuration."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest

from aggregate.config import Settings
from aggregate.errors import ConfigError


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AGGREGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_t3_1_settings_from_env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGGREGATE_NATS_URL", "nats://localhost:4222")
    monkeypatch.setenv("AGGREGATE_STORAGE_PATH", str(tmp_path / "state"))
    monkeypatch.setenv("AGGREGATE_LOGGER_SOCKET", str(tmp_path / "log.sock"))
    monkeypatch.setenv("AGGREGATE_SNAPSHOT_THRESHOLD", "7")
    monkeypatch.setenv("AGGREGATE_MAX_RETRIES", "3")
    settings = Settings.from_env()
    assert settings.nats_url == "nats://localhost:4222"
    assert (settings.storage_path, settings.logger_socket) == (tmp_path / "state", tmp_path / "log.sock")
    assert (settings.snapshot_threshold, settings.max_retries) == (7, 3)
    assert list(settings.load_manifest().aggregates) == ["Account"]


def test_t3_2_settings_validation() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings().validate()
    assert [mistake.place for mistake in caught.value.mistakes] == ["AGGREGATE_NATS_URL"]
    Settings(nats_url="nats://localhost:4222").validate()


def test_t3_3_settings_is_clone() -> None:
    settings = Settings(nats_url="nats://localhost:4222")
    clone = copy.copy(settings)
    assert clone == settings
    assert clone is not settings


@pytest.mark.parametrize(("name", "text"), [("aggregate.yaml", "max_retries: 2\n"), ("aggregate.toml", "max_retries = 2\n")])
def test_3_3_environment_overrides_the_file(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    env = {"AGGREGATE_NATS_URL": "nats://localhost:4222"}
    assert Settings.load(env=env).max_retries == 2
    assert Settings.load(env={**env, "AGGREGATE_MAX_RETRIES": "9"}).max_retries == 9
