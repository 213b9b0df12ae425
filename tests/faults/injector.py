"""Faults, one after another on each of two sides at once: servers, and nodes with their connections. Each is undone before the next.

The order is shuffled, but every kind comes before any comes again, so that a short campaign sees all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aggregate.testing.nats import EmbeddedNats

from .node import NodeProcess
from .proxy import Proxy
from .system import System

Fault = Callable[[], Awaitable[None]]


class Injector:
    """Does harm to a system.

    Attributes:
        seen: how often each kind of fault was done to something that was there.
    """

    def __init__(self, system: System, seed: int) -> None:
        self.seen: Counter[str] = Counter()
        self._system = system
        self._random = random.Random(seed)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; everything runs again on return."""
        await asyncio.gather(self._side(self._server_faults(), 1.0, 3.0, stop), self._side(self._node_faults(), 0.1, 1.0, stop))

    async def _side(self, faults: list[Fault], least: float, most: float, stop: asyncio.Event) -> None:
        """`least` to `most` seconds of peace before each."""
        deck: list[Fault] = []
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._random.uniform(least, most))
            if stop.is_set():
                return
            if not deck:
                deck = self._random.sample(faults, len(faults))
            await deck.pop()()

    def _server_faults(self) -> list[Fault]:
        alone: list[Fault] = [self.kill_leader, self.pause_leader_shortly]
        if self._system.replicas == 1:
            return alone
        cut_off = [self.cut_off_leader_shortly, self.cut_off_leader_long]
        return [*alone, self.kill_follower, self.pause_follower, self.pause_leader_long, *cut_off]

    def _node_faults(self) -> list[Fault]:
        system: list[Fault] = [self.kill_node, self.kill_node, self.pause_node]
        links = [
            self.cut_link,
            self.hold_link,
            self.hold_answers,
            self.lose_answers,
            self.lose_requests,
            self.refuse_link,
            self.half_close_link,
        ]
        stores = [self.fill_disk, self.damage_store, self.damage_store_and_kill]
        return [*system, *links, *stores, self.cut_door, self.lose_door_answers]

    # Servers.

    async def kill_leader(self) -> None:
        leader = await self._system.leader()
        if leader is not None:
            await self._kill_server("kill leader", leader)

    async def kill_follower(self) -> None:
        await self._kill_server("kill follower", await self._follower())

    async def _kill_server(self, kind: str, server: EmbeddedNats) -> None:
        await server.stop(how=signal.SIGKILL)
        self.seen[kind] += 1
        await self._pass_time(0.1, 2.0)
        await server.start()

    async def pause_leader_shortly(self) -> None:
        """Less than an election takes: answers come late, and nobody else leads."""
        leader = await self._system.leader()
        if leader is not None:
            await self._pause_server("pause leader shortly", leader, 0.3, 2.5)

    async def pause_leader_long(self) -> None:
        """Longer than an election takes: on waking, it believes for a while that it leads."""
        leader = await self._system.leader()
        if leader is not None:
            await self._pause_server("pause leader long", leader, 9.5, 11.0)

    async def cut_off_leader_shortly(self) -> None:
        await self._cut_off("cut off leader shortly", 0.5, 3.0)

    async def cut_off_leader_long(self) -> None:
        """Longer than an election takes: two servers lead for a while, one of them in vain, and clients reach both."""
        await self._cut_off("cut off leader long", 10.0, 12.0)

    async def _cut_off(self, kind: str, least: float, most: float) -> None:
        """From the other servers, not from clients: nothing gets through, or every connection is reset."""
        leader = await self._system.leader()
        if leader is not None:
            await self._held(kind, self._system.routes(leader), self._random.choice((Proxy.hold, Proxy.refuse)), least, most)

    async def pause_follower(self) -> None:
        await self._pause_server("pause follower", await self._follower(), 0.3, 3.0)

    async def _pause_server(self, kind: str, server: EmbeddedNats, least: float, most: float) -> None:
        server.pause()
        self.seen[kind] += 1
        try:
            await self._pass_time(least, most)
        finally:
            server.resume()

    async def _follower(self) -> EmbeddedNats:
        leader = await self._system.leader()
        return self._random.choice([server for server in self._system.servers if server is not leader])

    # Nodes.

    async def kill_node(self) -> None:
        number = self._random.randrange(len(self._system.nodes))
        await self._system.nodes[number].kill()
        self.seen["kill node"] += 1
        await self._pass_time(0.0, 0.5)
        await self._system.start_node(number)

    async def pause_node(self) -> None:
        node = self._random.choice(self._system.nodes)
        node.pause()
        self.seen["pause node"] += 1
        try:
            await self._pass_time(0.3, 3.0)
        finally:
            node.resume()

    # Stores of nodes.

    async def fill_disk(self) -> None:
        """No file of a node can be written to."""
        node = self._random.choice(self._system.nodes)
        before = resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        self.seen["fill disk"] += 1
        try:
            await self._pass_time(0.3, 3.0)
        finally:
            resource.prlimit(node.pid, resource.RLIMIT_FSIZE, before)

    async def damage_store(self) -> None:
        """Noise in the file under a node that runs. What reads it may end the process: then somebody starts it again."""
        number = self._random.randrange(len(self._system.nodes))
        self._damage(self._system.nodes[number])
        self.seen["damage store"] += 1
        await self._pass_time(0.3, 2.0)
        if not self._system.nodes[number].running:
            self.seen["died of damage"] += 1
            await self._system.nodes[number].kill()
            await self._system.start_node(number)

    async def damage_store_and_kill(self) -> None:
        """Noise in the file of a node that is killed before it notices."""
        number = self._random.randrange(len(self._system.nodes))
        node = self._system.nodes[number]
        await node.kill()
        self._damage(node)
        self.seen["damage store and kill"] += 1
        await self._system.start_node(number)

    def _damage(self, node: NodeProcess) -> None:
        """Some bytes here and there, a page, or the end of the file."""
        with node.store.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            for _ in range(self._random.randint(1, 4)):
                file.seek(self._random.randrange(size))
                file.write(self._random.randbytes(self._random.choice((1, 16, 4096))))

    # Connections: links between nodes and servers, doors between clients and nodes.

    async def cut_link(self) -> None:
        await self._cut("cut link", self._links())

    async def cut_door(self) -> None:
        await self._cut("cut door", self._system.doors)

    async def _cut(self, kind: str, proxies: list[Proxy]) -> None:
        for _ in range(self._random.randint(1, 5)):
            self.seen[kind] += sum(proxy.cut() for proxy in proxies) > 0
            await self._pass_time(0.0, 0.2)

    async def hold_link(self) -> None:
        await self._held("hold link", self._links(), Proxy.hold, 0.2, 3.0)

    async def hold_answers(self) -> None:
        await self._held("hold answers", self._links(), lambda proxy: proxy.down.hold(), 0.2, 3.0)

    async def lose_answers(self) -> None:
        await self._losing("lose answers", self._links(), "down")

    async def lose_requests(self) -> None:
        await self._losing("lose requests", self._links(), "up")

    async def lose_door_answers(self) -> None:
        await self._losing("lose door answers", [self._random.choice(self._system.doors)], "down")

    async def refuse_link(self) -> None:
        await self._held("refuse link", self._links(), Proxy.refuse, 0.1, 2.0)

    async def half_close_link(self) -> None:
        await self._held("half-close link", self._links(), Proxy.half_close, 0.0, 0.3)

    async def _losing(self, kind: str, proxies: list[Proxy], way: str) -> None:
        await self._held(kind, proxies, lambda proxy: setattr(getattr(proxy, way), "losing", True), 0.05, 1.5)

    async def _held(self, kind: str, proxies: list[Proxy], harm: Callable[[Proxy], object], least: float, most: float) -> None:
        self.seen[kind] += any(proxy.connections for proxy in proxies)
        with self._healed(proxies):
            for proxy in proxies:
                harm(proxy)
            await self._pass_time(least, most)

    @contextmanager
    def _healed(self, proxies: list[Proxy]) -> Iterator[None]:
        try:
            yield
        finally:
            for proxy in proxies:
                proxy.heal()

    def _links(self) -> list[Proxy]:
        """Those of one node."""
        return self._random.choice(self._system.links)

    async def _pass_time(self, least: float, most: float) -> None:
        await asyncio.sleep(self._random.uniform(least, most))
