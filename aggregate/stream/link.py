"""`Link`: keeps one connection to the cluster up, and says honestly when there is none.

Attempts go round the known servers (those given and those the cluster names) with exponential backoff and jitter, for ever. While there
is no connection nothing is sent and nothing is kept for later. A server that is about to shut down is left for another one first.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from aggregate.errors import Unavailable
from aggregate.stream.connection import Connection
from aggregate.stream.identity import Identity
from aggregate.types.breaker import Breaker

FIRST_WAIT = 0.05
LONGEST_WAIT = 2.0
FAREWELL = 5.0
"""Seconds that answers still under way on a server that shuts down are waited for."""

Prepare = Callable[[Connection], Awaitable[None]]


class Link:
    """The way to NATS.

    Attributes:
        connects: how many times a connection came up: who kept something over a time without one compares it.
        trouble: why there is no usable connection, where there is none.
    """

    def __init__(
        self,
        servers: Sequence[str],
        breaker: Breaker,
        prepare: Prepare,
        *,
        identity: Identity | None = None,
        tls: ssl.SSLContext | None = None,
        name: str = "aggregate",
    ) -> None:
        """`prepare` runs on each new connection before anybody else may use it; where it raises, the connection is given up."""
        if not servers:
            raise ValueError("at least one server is needed")
        self.connects = 0
        self.trouble = "not connected yet"
        self._given = list(servers)
        self._breaker = breaker
        self._prepare = prepare
        self._identity = identity
        self._tls = tls
        self._name = name
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._listeners: list[Callable[[bool], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._farewells: set[asyncio.Task[None]] = set()
        self._discovered: list[str] = []

    @property
    def connected(self) -> bool:
        """Whether there is a usable connection."""
        return self._connection is not None and self._connection.is_open

    def connection(self) -> Connection:
        """The connection.

        Raises:
            Unavailable: there is none now.
        """
        connection = self._connection
        if connection is None or not connection.is_open:
            raise Unavailable(f"not connected to NATS: {self.trouble}", "nats_disconnected")
        return connection

    def listen(self, listener: Callable[[bool], None]) -> None:
        """Call `listener(up)` whenever the connection has come up or gone; on the loop, must not block or raise."""
        self._listeners.append(listener)

    async def wait(self, *, up: bool) -> None:
        """Wait until there is a usable connection, or until there is none."""
        while self.connected != up:
            await self._changed.wait()

    async def start(self) -> None:
        """Begin; returns after the first attempt at every server, whether one succeeded or not."""
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(first), name="nats link")
        await asyncio.wait([first, self._task], return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Let go."""
        for task in [task for task in (self._task, *self._farewells) if task is not None]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        connection, self._connection = self._connection, None
        self.trouble = "closed"
        if connection is not None:
            await connection.close()
            self._tell(up=False)

    async def _run(self, first: asyncio.Future[None]) -> None:
        connection: Connection | None = None
        while True:
            connection = connection or await self._connect(first)
            self._use(connection)
            await _first_of(connection.lost, connection.leaving)
            following = None if connection.lost.done() else await self._connect_somewhere(but=connection.url)
            if following is None:
                self.trouble = await connection.lost
                self._breaker.failure()
                self._connection = None
                self._tell(up=False)
            else:
                farewell = asyncio.create_task(_linger(connection))
                self._farewells.add(farewell)
                farewell.add_done_callback(self._farewells.discard)
            connection = following

    async def _connect(self, first: asyncio.Future[None]) -> Connection:
        wait = FIRST_WAIT
        while True:
            connection = await self._connect_somewhere()
            if not first.done():
                first.set_result(None)
            if connection is not None:
                return connection
            self._breaker.failure()
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, LONGEST_WAIT)

    async def _connect_somewhere(self, *, but: str = "") -> Connection | None:
        """A connection to the first server that gives one, None where none does."""
        troubles = []
        for url in self._candidates(but):
            connection = Connection(url, identity=self._identity, tls=self._tls, name=self._name)
            try:
                await connection.open()
                await self._prepare(connection)
            except Exception as error:  # noqa: BLE001 (whatever a strange server makes us raise, we go on trying)
                connection.abort()
                troubles.append(str(error) or type(error).__name__)
                continue
            except BaseException:
                connection.abort()
                raise
            return connection
        self.trouble = "; ".join(dict.fromkeys(troubles)) or "no server is known"
        return None

    def _candidates(self, but: str) -> list[str]:
        given = random.sample(self._given, len(self._given))
        known = {urlsplit(url).netloc.rpartition("@")[2] for url in given}
        scheme, user = urlsplit(given[0]).scheme, urlsplit(given[0]).netloc.rpartition("@")[0]
        others = [f"{scheme}://{f'{user}@' if user else ''}{place}" for place in self._discovered if place not in known]
        return [url for url in [*given, *others] if url != but]

    def _use(self, connection: Connection) -> None:
        self._connection = connection
        self._discovered = [str(place) for place in connection.info.get("connect_urls") or ()]
        self.connects += 1
        self._breaker.success()
        self._tell(up=True)

    def _tell(self, *, up: bool) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        for listener in self._listeners:
            try:
                listener(up)
            except Exception as error:  # noqa: BLE001 (its bug must not cost us the connection)
                context = {"message": "a listener of the log's connection failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _linger(connection: Connection) -> None:
    await asyncio.wait([connection.lost], timeout=FAREWELL)
    connection.abort()
