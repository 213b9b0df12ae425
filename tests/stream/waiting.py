"""Waiting for what will come about by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def eventually(holds: Callable[[], bool], timeout: float = 20.0, pause: float = 0.01) -> None:
    """Return once `holds()`; fail when that takes longer than `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(pause)
