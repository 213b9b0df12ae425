"""What a caller does not take is not waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aggregate.errors import Overloaded

SLOW = 60.0
"""Seconds after which a caller who takes nothing is sent away."""


async def in_time(written: Awaitable[None]) -> None:
    """Wait until the caller has room for what is written. Raises Overloaded where that takes too long."""
    try:
        async with asyncio.timeout(SLOW):
            await written
    except TimeoutError:
        raise Overloaded(f"nothing was taken for {SLOW:g} s; go on from the last place taken", reason="slow_consumer") from None
