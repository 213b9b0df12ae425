"""What a campaign runs against: servers, nodes, and a proxy on every way between them."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from aggregate.errors import ConfigError
from aggregate.examples import __file__ as examples
from aggregate.testing.nats import EmbeddedNats
from aggregate.testing.nats_cluster import NatsCluster

from .frames import Meter
from .node import NodeProcess
from .proxy import Proxy

MANIFEST = """
aggregates:
  Account: {{program: {bank}, initial: null, snapshot_threshold: {threshold}}}
  Order: {{program: {order}, initial: null, snapshot_threshold: {threshold}}}
"""


NOWHERE = "127.0.0.1:1"


class ProxiedCluster(NatsCluster):
    """Servers behind proxies: `routes[a][b]` is on the way from server a to server b, and the only way between the two.

    They do not tell clients of one another, so that a node stays behind its own proxies.
    """

    def __init__(self, size: int, folder: Path) -> None:
        super().__init__(size, folder)
        self.routes = [[Proxy() for _ in range(size)] for _ in range(size)]

    def around(self, server: EmbeddedNats) -> list[Proxy]:
        """All ways from and to a server."""
        one = self.servers.index(server)
        return [proxy for a, row in enumerate(self.routes) for b, proxy in enumerate(row) if a != b and one in {a, b}]

    async def __aenter__(self) -> Self:
        for proxy in itertools.chain(*self.routes):
            await proxy.__aenter__()
        return await super().__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await super().__aexit__(*error)
        for proxy in itertools.chain(*self.routes):
            await proxy.__aexit__()

    def _members(self) -> list[EmbeddedNats]:
        members = super()._members()
        for one, member in enumerate(members):
            cluster = member._extra["cluster"]
            port = int(cluster["listen"].rpartition(":")[2])
            for row in self.routes:
                row[one].target = ("127.0.0.1", port)
            ways = [f"nats://{proxy.address}" for other, proxy in enumerate(self.routes[one]) if other != one]
            cluster |= {"no_advertise": True, "advertise": NOWHERE, "routes": ways}
        return members


class System:
    """`replicas` servers (one alone, or a cluster) and nodes on them. An async context manager.

    Attributes:
        links: of each node, a proxy to each server.
        doors: of each node, the proxy that clients come through.
    """

    def __init__(self, replicas: int, nodes: int = 2, settings: Mapping[str, Any] | None = None, *, snapshot_threshold: int = 7) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aggregate-faults-"))
        self.replicas = replicas
        self.servers: list[EmbeddedNats] = []
        self.nodes: list[NodeProcess] = []
        self.links: list[list[Proxy]] = []
        self.doors: list[Proxy] = []
        self._count = nodes
        self._settings = dict(settings or {})
        self._threshold = snapshot_threshold
        self._cluster: ProxiedCluster | None = None
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start_servers()
            for number in range(self._count):
                await self._add_node(number)
            await asyncio.gather(*(self.start_node(number) for number in range(self._count)))
            await asyncio.gather(*(node.wait_ready() for node in self.nodes))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(node.kill() for node in self.nodes))
        await self._parts.aclose()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def start_node(self, number: int) -> None:
        """Start a node and let its clients find it."""
        await self.nodes[number].start()
        self.doors[number].target = self.nodes[number].grpc

    async def leader(self) -> EmbeddedNats | None:
        """The server that leads the log, None where nobody does now."""
        if self._cluster is None:
            return self.servers[0]
        try:
            return await asyncio.wait_for(self._cluster.stream_leader(), 2.0)
        except (ConfigError, TimeoutError):
            return None

    def routes(self, server: EmbeddedNats) -> list[Proxy]:
        """The ways between a server and the others."""
        return [] if self._cluster is None else self._cluster.around(server)

    async def _start_servers(self) -> None:
        if self.replicas == 1:
            self.servers = [await self._parts.enter_async_context(EmbeddedNats(self.folder / "nats"))]
        else:
            self._cluster = await self._parts.enter_async_context(ProxiedCluster(self.replicas, self.folder / "nats"))
            self.servers = self._cluster.servers

    async def _add_node(self, number: int) -> None:
        links = [await self._parts.enter_async_context(Proxy((each.host, each.port), Meter())) for each in self.servers]
        folder = self.folder / f"node{number}"
        folder.mkdir()
        manifest = folder / "manifest.yaml"
        programs = Path(examples).parent
        manifest.write_text(
            MANIFEST.format(bank=programs / "bank" / "bank.agl", order=programs / "order" / "order.agl", threshold=self._threshold)
        )
        given = {
            "manifest": manifest,
            "stream_replicas": self.replicas,
            "multi_tenancy": "true",
            "breaker_reset": 0.5,
            "command_timeout": 2,
            **self._settings,
        }
        if number % 2:
            given["cache_bytes"] = 4000  # a node that has to load nearly everything
            # and that knows that its servers write through to the disk: what waits for several aggregates goes out as one batch
            given["nats_monitors"] = ",".join(server.monitor_url for server in self.servers)
        servers = [f"nats://{link.address}" for link in links]
        self.nodes.append(NodeProcess(f"node{number}", folder, servers, given))
        self.links.append(links)
        self.doors.append(await self._parts.enter_async_context(Proxy()))
