"""Options and fixtures of a run. `python -m bench` is the usual way in; `pytest bench` works too and shows pytest-benchmark's own table."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import machine
from bench.registry import Scale
from bench.results import Results

RESULTS = pytest.StashKey[Results]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smoke", action="store_true", help="one small round each: only see that all run and answer right")
    parser.addoption("--results", type=Path, help="write the ratios to this file")


def pytest_configure(config: pytest.Config) -> None:
    conditions = machine.conditions(smoke=config.getoption("--smoke"))
    config.stash[RESULTS] = Results(machine.machine(), machine.versions(), conditions)


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--results")
    if path is not None:
        session.config.stash[RESULTS].write(path)


@pytest.fixture
def scale(pytestconfig: pytest.Config) -> Scale:
    return Scale(smoke=pytestconfig.getoption("--smoke"))


@pytest.fixture
def results(pytestconfig: pytest.Config) -> Results:
    return pytestconfig.stash[RESULTS]
