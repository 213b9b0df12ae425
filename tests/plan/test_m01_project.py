"""Plan, milestone 1: the project's foundation."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import aggregate
from aggregate._version import __version__

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_t1_1_project_compiles() -> None:
    names = [module.name for module in pkgutil.walk_packages(aggregate.__path__, "aggregate.") if not module.name.endswith("__main__")]
    assert {"aggregate.types", "aggregate.config", "aggregate.storage", "aggregate.stream", "aggregate.handler"} <= set(names)
    for name in names:
        importlib.import_module(name)
    try:
        assert version("cloudlysis-aggregate") == __version__
    except PackageNotFoundError:
        pytest.skip("the package is not installed; pip install -e .")


def test_t1_2_dependencies_resolve() -> None:
    requirements = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    assert len(requirements) > 10
    wrong = []
    for requirement in requirements:
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement} wants another version than {found}")
    assert wrong == []


def test_t1_3_lint_clean() -> None:
    assert PROJECT["tool"]["mypy"]["strict"] is True
    assert {"E", "F", "B", "S", "PL", "RUF", "UP", "BLE"} <= set(PROJECT["tool"]["ruff"]["lint"]["select"])
    clippy = tomllib.loads((ROOT / "native" / "Cargo.toml").read_text())["lints"]["clippy"]
    assert "all" in clippy
    assert (ROOT / "native" / ".clippy.toml").is_file()
    assert (ROOT / "native" / "rustfmt.toml").is_file()
    if find_spec("ruff") is None:
        pytest.skip("ruff is not installed; pip install ruff")
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--quiet", "aggregate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
