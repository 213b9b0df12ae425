"""`Environment`: what a handler needs to run for real in a test: a nats-server, a folder, and handlers that share them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from aggregate.stream import StreamClient

from aggregate.config import AggregateManifest, Settings
from aggregate.config.manifest import Projection as ProjectionConfig
from aggregate.engine import get as get_engine
from aggregate.handler import AggregateHandler
from aggregate.node import register
from aggregate.query.running import RunningQueries
from aggregate.runtime import RuntimeExecutor
from aggregate.storage import StorageClient
from aggregate.stream import StreamClient
from aggregate.testing.lenient import LENIENT_BANK
from aggregate.testing.nats import EmbeddedNats
from aggregate.types.record import Observer

INDEXED = ProjectionConfig(indexes=("balance",))
"""What is projected where nobody says something else."""


class Environment:
    """One nats-server and one storage folder; every handler made here shares them, like the handlers of one node that restarts.

    An async context manager. While one is entered it is the one that `AggregateHandler.new_test()` and its like take; else those start one
    that lives until `close_ambient`.
    """

    _current: ClassVar[Environment | None] = None

    def __init__(self) -> None:
        self.nats = EmbeddedNats()
        self.folder = Path(tempfile.mkdtemp(prefix="aggregate-test-"))
        self._streams: list[StreamClient] = []
        self._storage: StorageClient | None = None
        self._queries: list[RunningQueries] = []
        self._before: Environment | None = None

    @classmethod
    async def ambient(cls) -> Environment:
        """The environment that is entered, else a new one that stays until `close_ambient`."""
        return cls._current if cls._current is not None else await cls().__aenter__()

    @classmethod
    async def close_ambient(cls) -> None:
        """Leave the environment that `ambient` started, if it did."""
        if cls._current is not None:
            await cls._current.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        try:
            await self.nats.start()
        except BaseException:
            self._remove()
            raise
        self._before, Environment._current = Environment._current, self
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        Environment._current = self._before
        try:
            for queries in self._queries:
                await queries.close()
            for stream in self._streams:
                await stream.close()
            if self._storage is not None:
                await self._storage.close()
            await self.nats.stop()
        finally:
            await asyncio.to_thread(self._remove)

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.nats.folder, ignore_errors=True)

    async def stream(self, **options: Any) -> StreamClient:
        """A new connection to the log; closed on leaving."""
        client = await StreamClient.connect([self.nats.url], **options)
        self._streams.append(client)
        return client

    async def storage(self) -> StorageClient:
        """The snapshot store of this environment."""
        if self._storage is None:
            self._storage = await StorageClient.open(self.folder / "storage")
        return self._storage

    async def lose_storage(self) -> None:
        """Delete the storage folder, as between two runs of a node; the next `storage` is empty."""
        if self._storage is not None:
            await self._storage.close()
            self._storage = None
        await asyncio.to_thread(shutil.rmtree, self.folder / "storage", ignore_errors=True)

    async def handler(
        self,
        *,
        manifest: AggregateManifest | None = None,
        sources: Mapping[str, str] | None = None,
        observers: tuple[Observer, ...] = (),
        storage: Any = None,
        **settings: Any,
    ) -> AggregateHandler:
        """A handler on this environment with a connection of its own.

        Args:
            manifest: of its types; None: made of `sources`.
            sources: program texts by type; None: `Account` with the lenient bank program.
            observers: as for `AggregateHandler`.
            storage: another snapshot store than the environment's.
            settings: over the defaults for tests (a snapshot after every event).
        """
        given = Settings(**{"nats_url": self.nats.url, "snapshot_threshold": 1, **settings})
        wanted = (
            manifest if manifest is not None else AggregateManifest.of_sources(sources or {"Account": LENIENT_BANK}, projection=INDEXED)
        )
        executor = RuntimeExecutor.of_settings(given)
        stream = await self.stream()
        programs = await register(executor.load(wanted), stream)
        handler = AggregateHandler(given, programs, storage if storage is not None else await self.storage(), stream, observers)
        queries = RunningQueries(self.folder / f"projections-{len(self._queries)}", programs, stream, get_engine())
        self._queries.append(queries)
        handler.serve_queries(queries.client.after)
        return handler
