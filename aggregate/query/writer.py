"""`Writer`: the one thread that writes into a projection's stores."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Writer:
    """Runs one thing after the other."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "projection")

    async def run(self, work: Callable[..., T], *args: object) -> T:
        """Run it to its end, whatever becomes of us."""
        working = asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await asyncio.wait([working])
            raise

    def later(self, work: Callable[[], object]) -> None:
        """Run it when there is time."""
        self._thread.submit(work)

    async def close(self) -> None:
        """Once all has been run."""
        await asyncio.to_thread(self._thread.shutdown)
