"""A node as a process: `aggregate serve` with settings from the environment, on a folder of its own, killed and started again at will."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aggregate.testing.process import TetheredProcess
from tests.cli.processes import ROOT

STARTUP = 30.0


class NodeFailed(Exception):
    """A node ended by itself, or did not become what it should."""


class NodeProcess:
    """One node. Its ports are new with every start; `grpc` and `admin` are (host, port) of the last one."""

    def __init__(self, name: str, folder: Path, servers: Sequence[str], settings: Mapping[str, Any]) -> None:
        """`servers` are the URLs of NATS as this node sees them; `settings` by name, lower case."""
        self.name = name
        self.folder = folder
        self.log = folder / "node.log"
        self.grpc: tuple[str, int] = ("", 0)
        self.admin: tuple[str, int] = ("", 0)
        self._settings = {
            "nats_url": ",".join(servers),
            "node_id": name,
            "storage_path": folder / "data",
            "grpc_address": "127.0.0.1:0",
            "admin_address": "127.0.0.1:0",
            "log_level": "warning",
            **settings,
        }
        self._command = [*_environment(self._settings), sys.executable, "-m", "aggregate", "serve", "--json"]
        self._process: TetheredProcess | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def store(self) -> Path:
        """The file that snapshots are kept in."""
        return self.folder / "data" / "snapshots" / "data.mdb"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.exit_code is None

    async def start(self) -> None:
        """Start and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        start = self.log.stat().st_size if self.log.exists() else 0
        self._process = TetheredProcess.start(self._command, self.log)
        addresses = await self._serving(start)
        self.grpc, self.admin = _address(addresses["grpc"]), _address(addresses["admin"])

    async def wait_ready(self, timeout: float = STARTUP) -> None:
        """Wait until it takes commands."""
        deadline = time.monotonic() + timeout
        while (await self._ask("/ready"))[0] != 200:
            if time.monotonic() > deadline or not self.running:
                raise NodeFailed(f"{self.name} is not ready: {(await self._ask('/ready'))[1]}\n{self.tail()}")
            await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """Crash."""
        await self._stop(signal.SIGKILL)

    async def stop(self) -> int:
        """End in order; the exit code."""
        return await self._stop(signal.SIGTERM)

    def pause(self) -> None:
        assert self._process is not None
        self._process.send(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send(signal.SIGCONT)

    def tail(self, lines: int = 30) -> str:
        """The end of what it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def _stop(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        return 0 if process is None else await process.stop(20.0, how=how)

    async def _serving(self, start: int) -> dict[str, str]:
        deadline = time.monotonic() + STARTUP
        while True:
            with self.log.open("rb") as log:
                log.seek(start)
                for line in log.read().split(b"\n")[:-1]:
                    if line.startswith(b'{"serving"'):
                        found: dict[str, str] = json.loads(line)["serving"]
                        return found
            if time.monotonic() > deadline or not self.running:
                raise NodeFailed(f"{self.name} did not start:\n{self.tail()}")
            await asyncio.sleep(0.005)

    async def _ask(self, path: str) -> tuple[int, Any]:
        return await asyncio.to_thread(_get, *self.admin, path)


def _environment(settings: Mapping[str, Any]) -> list[str]:
    env = shutil.which("env")
    assert env is not None
    ours = [name for name in os.environ if name.startswith("AGGREGATE_") and name != "AGGREGATE_ENGINE"]
    forget = [word for name in ours for word in ("-u", name)]
    return [env, *forget, f"PYTHONPATH={ROOT}", *(f"AGGREGATE_{name.upper()}={value}" for name, value in settings.items())]


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _get(host: str, port: int, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()
