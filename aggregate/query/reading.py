"""`StoreReading`: what live queries read of a projection, in threads, chunk by chunk, all as of one moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from aggregate.query.filters import Filter
from aggregate.query.interface import Changed, Row
from aggregate.query.view import View, id_of, row_of
from aggregate.stream.positions import sequence_of
from aggregate.types import AggregateKey, AggregateType, TenantId

T = TypeVar("T")


class StoreReading:
    """A `Reading` of one view.

    Attributes:
        position: of the log, that the view is of.
        incarnation: what the rows are made of.
    """

    def __init__(
        self,
        view: View,
        tenant_id: TenantId,
        types: Sequence[AggregateType],
        only: AggregateType | None,
        filter: Filter,  # noqa: A002 - what it is
        executor: Executor,
        position: str,
        incarnation: str,
    ) -> None:
        self._view = view
        self._tenant_id = tenant_id
        self._types = types
        self._only = only
        self._filter = filter
        self._executor = executor
        self._working: asyncio.Future[object] | None = None
        self.position = position
        self.incarnation = incarnation

    async def pages(self) -> AsyncIterator[Sequence[Row]]:
        """The rows that match, some at a time."""
        pages = self._pages()
        while (page := await self._run(lambda: next(pages, None))) is not None:
            if page:
                yield page

    async def changed(self, after: str, most: int) -> Sequence[Changed] | None:
        """See `Reading.changed`."""
        found = await self._run(lambda: self._view.changed(self._tenant_id, self._only, sequence_of(after), most))
        return None if found is None else [Changed(before, after) for before, after in found]

    async def settle(self) -> None:
        """Wait until no thread reads any more, whatever becomes of us."""
        while self._working is not None and not self._working.done():
            try:
                await asyncio.wait([self._working])
            except asyncio.CancelledError:
                continue

    def _pages(self) -> Iterator[list[Row]]:
        for aggregate_type in self._types:
            for packs in self._view.packs(self._tenant_id, aggregate_type):
                found = self._filter.scan(packs, self._tenant_id, aggregate_type).entries()
                yield [row_of(AggregateKey(self._tenant_id, aggregate_type, id_of(name)), raw) for name, raw in found]

    async def _run(self, work: Callable[[], T]) -> T:
        working = asyncio.get_running_loop().run_in_executor(self._executor, work)
        self._working = working  # type: ignore[assignment]  # whatever it gives
        return await asyncio.shield(working)
