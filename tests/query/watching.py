"""A watcher of a test: folds what it is told into a view, as a client would."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aggregate.query.live import LiveQueries
from aggregate.types import AggregateId, AggregateType, TenantId
from aggregate.types.queries import Row, WatchEvent

Key = tuple[AggregateType, AggregateId]
View = dict[Key, tuple[int, Any]]


class Folding:
    """What somebody knows who was told these items; `strict`: each must make sense after the ones before it."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.token = ""
        self.caught_up = False
        self.lags = 0
        self.kinds: list[str] = []
        self._resumed = False

    def take(self, events: Iterable[WatchEvent]) -> None:
        """Fold some items in."""
        for event in events:
            self.kinds.append(event.kind)
            self.token = event.resume_token or self.token
            row = event.row
            key = key_of(row) if row is not None else None
            match event.kind:
                case "lagged":
                    self.rows.clear()
                    self.token = ""
                    self.caught_up, self._resumed, self.lags = False, False, self.lags + 1
                case "caught_up":
                    self.caught_up, self._resumed = True, False
                case "row":
                    assert row is not None and key is not None  # noqa: PT018 - for mypy
                    assert not self.caught_up
                    assert key not in self.rows
                    self.rows[key] = row
                case "added" | "changed":
                    assert row is not None and key is not None  # noqa: PT018 - for mypy
                    if not self._resumed:
                        assert (key in self.rows) == (event.kind == "changed"), event
                    self.rows[key] = row
                case "no_longer_matching":
                    assert key is not None
                    if not self._resumed:
                        assert key in self.rows
                    self.rows.pop(key, None)

    def resume(self) -> None:
        """It goes on with another live query: until that has caught up, changes may be known already."""
        self.caught_up, self._resumed = False, bool(self.token)
        if not self.token:
            self.rows.clear()

    @property
    def view(self) -> View:
        return view_of(self.rows.values())


def view_of(rows: Iterable[Row]) -> View:
    """Rows as a view, to be compared."""
    return {key_of(row): (row.version, row.document.value) for row in rows}


def key_of(row: Row) -> Key:
    """An id alone is no key: two types may use one."""
    return (row.aggregate_type, row.aggregate_id)


class Client:
    """Somebody who watches, in a task, as fast as `pace` lets."""

    def __init__(self, live: LiveQueries, tenant: str, text: str, kind: str | None = None) -> None:
        self.folded = Folding()
        self.pace = asyncio.Event()
        self.pace.set()
        self.failure: BaseException | None = None
        self._live = live
        self._question = (TenantId(tenant), text, AggregateType(kind) if kind else None)
        self._moved = asyncio.Event()
        self._task = asyncio.create_task(self._run(""))

    async def _run(self, token: str) -> None:
        tenant, text, kind = self._question
        try:
            async with self._live.live(tenant, text, aggregate_type=kind, resume_token=token) as watcher:
                while True:
                    told = await watcher.next()
                    await self.pace.wait()
                    self.folded.take(told.events)
                    self._move()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.failure = error
            self._move()

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def until(self, condition: Any) -> None:
        """Wait until the condition holds of what was folded."""
        async with asyncio.timeout(20):
            while not condition(self.folded):
                if self.failure is not None:
                    raise self.failure
                await self._moved.wait()

    async def until_view(self, view: View) -> None:
        """Wait until it knows this."""
        try:
            await self.until(lambda folded: folded.caught_up and folded.view == view)
        except TimeoutError:
            assert self.folded.view == view
            raise

    async def until_failed(self) -> BaseException:
        """Wait for the end."""
        async with asyncio.timeout(20):
            while self.failure is None:
                await self._moved.wait()
        return self.failure

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def resume(self) -> None:
        """Go on after the newest token."""
        await self.stop()
        self.failure = None
        self.folded.resume()
        self._task = asyncio.create_task(self._run(self.folded.token))
