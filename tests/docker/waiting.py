"""Waiting for conditions; the test's own timeout bounds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], T | None], pause: float = 0.3) -> T:
    """What `condition` gives, once it gives something true."""
    while True:
        found = await asyncio.to_thread(condition)
        if found:
            return found
        await asyncio.sleep(pause)
