"""`Waiting`: those who wait for a projection to come to a place."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

MARK_AFTER: Final = 0.02
"""Seconds that somebody waits for a position before a mark is written, which says that it was passed where nothing of ours stands there."""


class Waiting:
    """Of one projection.

    Attributes:
        hurry: set while somebody waits.
    """

    def __init__(self, mark: Callable[[], None]) -> None:
        """`mark` has a mark written into the log."""
        self.hurry = asyncio.Event()
        self._mark = mark
        self._moved = asyncio.Event()
        self._waiting = 0

    def moved(self) -> None:
        """The projection is elsewhere."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def until(self, reached: Callable[[], bool], deadline: float) -> None:
        """Wait until it is where somebody wants it. Raises TimeoutError at the deadline."""
        if reached():
            return
        with self._counted():
            while not reached():
                moved = self._moved
                try:
                    async with asyncio.timeout(max(0.0, min(deadline - time.monotonic(), MARK_AFTER))):
                        await moved.wait()
                except TimeoutError:
                    if time.monotonic() >= deadline:
                        raise
                    self._mark()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(max(0.0, min(deadline - time.monotonic(), 1.0))):
                            await moved.wait()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._waiting += 1
        self.hurry.set()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.hurry.clear()
