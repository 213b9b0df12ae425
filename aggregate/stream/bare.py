"""A connection for tools: it asks of the log's servers what it is told to, makes no stream and judges nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from aggregate.config import Settings
from aggregate.errors import Unavailable
from aggregate.stream.connection import Connection
from aggregate.stream.jetstream import NOT_FOUND, ApiError, call, subject_pages
from aggregate.stream.kv import KeyValue, asked
from aggregate.stream.link import Link
from aggregate.stream.options import options_from
from aggregate.stream.subjects import STREAM_NAME, key_of
from aggregate.stream.subscribe import JetStreamSubscription
from aggregate.types import TenantId
from aggregate.types.breaker import Breaker

CONNECT = 5.0

T = TypeVar("T")


class BareLog:
    """The servers of the log, as a tool sees them."""

    def __init__(self, link: Link, replicas: int) -> None:
        """Use `connect`."""
        self._link = link
        self._replicas = replicas

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncGenerator[BareLog, None]:
        """Within it there is a connection. Raises Unavailable: there is none within a few seconds."""
        options = options_from(settings)
        link = Link(
            settings.nats_servers, Breaker(5, 1.0), _use_as_it_is, identity=options["identity"], tls=options["tls"], name="aggregate tool"
        )
        try:
            await link.start()
            try:
                async with asyncio.timeout(CONNECT):
                    await link.wait(up=True)
            except TimeoutError:
                raise Unavailable(f"not connected to NATS: {link.trouble}", "nats_disconnected") from None
            yield cls(link, settings.stream_replicas)
        finally:
            await link.close()

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._link.connected

    @property
    def link(self) -> Link:
        """The connection itself."""
        return self._link

    def subscribe(self, subjects: Sequence[str], *, after: int) -> JetStreamSubscription:
        """The messages of the log on some subjects after a place."""
        return JetStreamSubscription(self._link, self.ask, "tool", subjects, after)

    def listen(self, listener: Callable[[bool], None]) -> None:
        """Call `listener(up)` whenever the connection has come up or gone."""
        self._link.listen(listener)

    def bucket(self, name: str) -> KeyValue:
        """A key-value bucket."""
        return KeyValue(self.ask, name, self._replicas)

    async def ask(self, request: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a request on the connection there is. Raises Unavailable, ApiError."""
        return await asked(self._link.connection(), request)

    async def last_sequence(self) -> int:
        """Of the stream's newest message. Raises Unavailable, StreamError."""
        return int((await self._info())["state"]["last_seq"])

    async def tenants(self) -> list[TenantId]:
        """Every tenant that has an aggregate in the log, sorted: all subjects are listed. Raises Unavailable, StreamError."""
        found: set[TenantId] = set()
        async with aclosing(self.subject_pages("tenant.>")) as pages:
            async for subjects, _ in pages:
                found |= {key_of(subject).tenant_id for subject in subjects}
        return sorted(found)

    async def subject_pages(self, pattern: str) -> AsyncGenerator[tuple[list[str], int], None]:
        """The subjects of the log, page by page, and how many there are; none where there is no log. Raises Unavailable, StreamError."""
        try:
            async with aclosing(subject_pages(self._info, pattern)) as pages:
                async for page in pages:
                    yield page
        except ApiError as error:
            if error.error_code != NOT_FOUND:
                raise

    async def _info(self, **which: Any) -> dict[str, Any]:
        return await self.ask(partial(call, operation=f"STREAM.INFO.{STREAM_NAME}", body=which))


async def _use_as_it_is(_: Connection) -> None:
    """Nothing has to be there."""
