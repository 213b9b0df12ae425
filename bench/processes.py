"""Servers in processes of their own, so that client and server do not share an interpreter: a node, and an echo beside it."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aggregate.testing.process import TetheredProcess
from bench.loop import event_loop

START_SECONDS = 60.0


@contextmanager
def node(profile: Path | None = None, settings: Mapping[str, object] | None = None) -> Iterator[Mapping[str, Any]]:
    """`aggregate dev` on the bank, with its own nats-server; gives its ready line (`grpc`, `nats`, `engine`) and `pid`.

    `profile`: run it under cProfile and write what it found there, on leaving. `settings` by name, lower case.
    """
    given = [f"AGGREGATE_{name.upper()}={value}" for name, value in (settings or {}).items()]
    python = ["env", *given, sys.executable, *(["-m", "cProfile", "-o", str(profile)] if profile is not None else [])]
    with tempfile.TemporaryDirectory(prefix="aggregate-bench-") as folder:
        ports = ["--grpc-port", "0", "--admin-port", "0", "--nats-port", "0"]
        with _ready([*python, "-m", "aggregate", "dev", "--json", "--data", f"{folder}/data", *ports], Path(folder) / "out") as told:
            yield told


@contextmanager
def echo() -> Iterator[Mapping[str, Any]]:
    """`bench.echo`; gives its ready line (`grpc`) and `pid`."""
    with (
        tempfile.TemporaryDirectory(prefix="aggregate-bench-") as folder,
        _ready([sys.executable, "-m", "bench.echo"], Path(folder) / "out") as told,
    ):
        yield told


class Lines:
    """What a process writes, JSON lines."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def until(self, enough: Callable[[list[Mapping[str, Any]]], bool]) -> list[Mapping[str, Any]]:
        """All lines so far, once they are enough. Raises RuntimeError where that takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = [
                json.loads(line) for line in self._output.read_text().splitlines(keepends=True) if line.endswith("\n") and line[0] == "{"
            ]
            if enough(found):
                return found
            time.sleep(0.05)
        raise RuntimeError(f"it did not say enough:\n{self._output.read_text()[-2000:]}")


@contextmanager
def watchers(address: str, count: int) -> Iterator[Lines]:
    """`bench.watching`: live queries of the node, all of them caught up."""
    with tempfile.TemporaryDirectory(prefix="aggregate-bench-") as folder:
        output = Path(folder) / "out"
        with _ready([sys.executable, "-m", "bench.watching", address, str(count)], output):
            yield Lines(output)


@contextmanager
def _ready(command: Sequence[str], output: Path) -> Iterator[Mapping[str, Any]]:
    process = TetheredProcess.start(command, output)
    try:
        yield {**_wait_for_line(process, output), "pid": process.pid}
    finally:
        with event_loop() as runner:
            runner.run(process.stop(20.0))


def _wait_for_line(process: TetheredProcess, output: Path) -> Mapping[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while process.exit_code is None and time.monotonic() < deadline:
        for line in output.read_text().splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n") and "grpc" in (told := json.loads(line)):
                return dict(told)
        time.sleep(0.01)
    raise RuntimeError(f"the server did not come up:\n{output.read_text()[-2000:]}")
