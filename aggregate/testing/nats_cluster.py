"""`NatsCluster`: several nats-servers on loopback that form one JetStream cluster, for what only replicas show."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aggregate.errors import ConfigError, Mistake
from aggregate.testing.nats import BINARY, EmbeddedNats
from aggregate.testing.ports import free_port

START_ATTEMPTS = 3
"""Route ports must be known before any server starts, and may be taken by somebody else meanwhile."""


class NatsCluster:
    """A cluster of servers; an async context manager. Members can be paused, killed and started again one by one (`servers`)."""

    def __init__(self, size: int = 3, folder: Path | None = None, *, ready_timeout: float = 60.0) -> None:
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="aggregate-nats-cluster-")) if folder is None else folder
        self.servers: list[EmbeddedNats] = []
        self._size = size
        self._ready_timeout = ready_timeout

    @property
    def urls(self) -> list[str]:
        """What a client connects to."""
        return [server.url for server in self.servers]

    @property
    def monitor_urls(self) -> list[str]:
        """The monitoring ports."""
        return [server.monitor_url for server in self.servers]

    async def start(self) -> None:
        """Start all and wait until they have a leader.

        Raises:
            ConfigError: they cannot be started, or find no leader in time.
        """
        for attempt in range(1, START_ATTEMPTS + 1):
            self.servers = self._members()
            try:
                await asyncio.gather(*(server.start() for server in self.servers))
                break
            except ConfigError:
                await self.stop()
                if attempt == START_ATTEMPTS:
                    raise
        await self._wait_for_leader()

    async def stop(self) -> None:
        """Stop all."""
        await asyncio.gather(*(server.stop() for server in self.servers))

    async def stream_leader(self, stream: str = "AGGREGATE_EVENTS") -> EmbeddedNats:
        """The server that leads a stream now.

        Raises:
            ConfigError: nobody does.
        """
        for server in self.servers:
            if server.pid is None:
                continue
            for account in (await self._ask(server, "/jsz?streams=true")).get("account_details") or ():
                for detail in account.get("stream_detail") or ():
                    leader = (detail.get("cluster") or {}).get("leader")
                    if detail["name"] == stream and leader:
                        return next(each for each in self.servers if each.name == leader)
        raise ConfigError([Mistake(BINARY, f"nobody leads {stream}")])

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()
        if self._temporary:
            await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    def _members(self) -> list[EmbeddedNats]:
        routes = [free_port() for _ in range(self._size)]
        return [
            EmbeddedNats(
                self.folder / f"n{number}",
                name=f"n{number}",
                extra={
                    "cluster": {
                        "name": "aggregate",
                        "listen": f"127.0.0.1:{routes[number]}",
                        "routes": [f"nats://127.0.0.1:{port}" for port in routes if port != routes[number]],
                    }
                },
            )
            for number in range(self._size)
        ]

    async def _wait_for_leader(self) -> None:
        deadline = time.monotonic() + self._ready_timeout
        while not all([await self._is_ready(server) for server in self.servers]):
            if time.monotonic() > deadline:
                raise ConfigError([Mistake(BINARY, f"the cluster found no leader within {self._ready_timeout:g} s")])
            await asyncio.sleep(0.05)

    async def _is_ready(self, server: EmbeddedNats) -> bool:
        meta = (await self._ask(server, "/jsz")).get("meta_cluster") or {}
        return bool(meta.get("leader")) and int(meta.get("cluster_size", 0)) == self._size

    @staticmethod
    async def _ask(server: EmbeddedNats, path: str) -> dict[str, Any]:
        return await asyncio.to_thread(_get, server.host, server.monitor_port, path)


def _get(host: str, port: int, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        found = json.loads(connection.getresponse().read())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
