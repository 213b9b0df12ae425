"""Ctrl-C and SIGTERM of a server: the first asks it to drain and stop, a second one ends the process the hard way."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Made inside the running loop; `await wait()` returns when the process is asked to stop."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._ask)

    def _ask(self) -> None:
        self._asked.set()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    async def wait(self) -> None:
        """Wait for the first signal."""
        await self._asked.wait()

    async def unless(self, work: Awaitable[T]) -> T | None:
        """The result of `work`; None when the signal came first (`work` is then cancelled)."""
        task = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            asked.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
