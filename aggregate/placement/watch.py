"""`PlacementWatch`: the placement as this node knows it, kept new.

The bucket's watch is a hint and nothing more: the document is listed again every half minute, on every new connection and whenever
somebody asks, and compared by revision. Until the bucket has one, the local file counts; a node that finds the bucket empty puts its file
there, for all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn, Protocol

import structlog

from aggregate.errors import AggregateError, StreamConflict
from aggregate.placement.config import TenantPlacementConfig
from aggregate.placement.store import BUCKET, PlacementStore, StoredPlacement
from aggregate.stream.kv import KeyValue

log = structlog.get_logger("aggregate.placement")

LIST_EVERY = 30.0
RETRY = 2.0
AGAIN = (0.02, 0.1, 0.5, 2.0)
"""Seconds after a hint at which to look again while nothing new was seen: it comes when a change is sent, not when it is stored."""
EMPTY = TenantPlacementConfig.from_values({})

Source = Literal["none", "file", "bucket"]
Listener = Callable[[TenantPlacementConfig, TenantPlacementConfig], None]


class Log(Protocol):
    """What is needed of the log's client."""

    @property
    def connected(self) -> bool: ...

    def bucket(self, name: str) -> KeyValue: ...

    def listen(self, listener: Callable[[bool], None]) -> None: ...


class PlacementWatch:
    """The newest placement known here.

    Attributes:
        config: the document; an empty one while there is none.
        revision: its revision in the bucket, 0 where it is not from there.
        source: where it came from.
        trouble: why it may be out of date, "" where it is not so.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Read the file. Raises ConfigError: it is wrong."""
        self._of_file = TenantPlacementConfig.load(file) if file is not None else None
        self.config = self._of_file or EMPTY
        self.revision = 0
        self.source: Source = "none" if self._of_file is None else "file"
        self.trouble = ""
        self._store: PlacementStore | None = None
        self._listeners: list[Listener] = []
        self._hint = asyncio.Event()
        self._listed = asyncio.Event()
        self._connection_new = True
        self._lower = 0
        self._looking = asyncio.Lock()

    def listen(self, listener: Listener) -> None:
        """Call `listener(before, after)` when the document has changed; on the loop, must not block or raise."""
        self._listeners.append(listener)

    def attach(self, log: Log) -> PlacementStore:
        """Where the bucket is; `run` afterwards."""
        self._store = PlacementStore(log.bucket(BUCKET))
        log.listen(self._connection_changed)
        return self._store

    def hint(self) -> None:
        """The document may have changed: look soon."""
        self._hint.set()

    async def listed(self) -> None:
        """Wait until the bucket has been looked at once."""
        await self._listed.wait()

    async def reload(self) -> TenantPlacementConfig:
        """Look now.

        Raises:
            Unavailable, StreamError, ConfigError: it cannot be had; the one that was known stays.
        """
        assert self._store is not None, "attach comes first"
        async with self._looking:
            try:
                found = await self._store.load()
                if found is None:
                    found = await self._seed(self._store)
            except AggregateError as error:
                self._tell_trouble(str(error))
                raise
            self._tell_trouble("")
            self._take(found)
            self._listed.set()
            return self.config

    async def run(self) -> NoReturn:
        """Keep it new, for ever."""
        assert self._store is not None, "attach comes first"
        again: list[float] = []
        while True:
            if self._hint.is_set():
                again = list(AGAIN)
            self._hint.clear()
            known = self.revision
            wait = LIST_EVERY
            try:
                if self._connection_new:
                    await self._store.watch(self.hint)
                    self._connection_new = False
                await self.reload()
            except AggregateError:
                wait = RETRY
            if self.revision != known:
                again.clear()
            if again:
                wait = again.pop(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._hint.wait()

    def _connection_changed(self, up: bool) -> None:
        if up:
            self._connection_new = True
            self.hint()

    async def _seed(self, store: PlacementStore) -> StoredPlacement | None:
        """Put the file into the empty bucket; None where there is no file."""
        if self._of_file is None:
            return None
        try:
            stored = await store.put(self._of_file, revision=0)
        except StreamConflict:
            return await store.load()  # another node was quicker; or somebody deleted it and wants none
        log.info("the bucket had no placement: put the file's there", epoch=stored.config.epoch)
        return stored

    def _take(self, found: StoredPlacement | None) -> None:
        """A lower revision is a server that is behind, or another bucket: believed when it is seen twice in a row."""
        if found is None:
            if self.source == "bucket":
                self._use(self._of_file or EMPTY, 0, "none" if self._of_file is None else "file")
            return
        if found.revision < self.revision and self._lower != found.revision:
            self._lower = found.revision
            return
        self._lower = 0
        if found.revision != self.revision:
            self._use(found.config, found.revision, "bucket")

    def _use(self, config: TenantPlacementConfig, revision: int, source: Source) -> None:
        before, self.config = self.config, config
        self.revision, self.source = revision, source
        log.info("placement", epoch=config.epoch, revision=revision, source=source, nodes=sorted(config.nodes))
        for listener in self._listeners:
            listener(before, config)

    def _tell_trouble(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.warning("the placement cannot be read anew; the one that is known stays", reason=trouble)
        self.trouble = trouble
