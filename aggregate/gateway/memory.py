"""Memory given back to the system when the need for it has gone.

Many connections, or a flood of large messages, leave free pages all over the C heap, and glibc gives back only what lies at its end: a
node would be as large for ever as it was in its busiest minute.
"""

from __future__ import annotations

import asyncio
import ctypes

INTERVAL = 5.0
LEAST = 8 << 20
"""Bytes of the heap that must have come free since the last time: to give back costs milliseconds."""


class _Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    )


async def give_back() -> None:
    """Now and then, where much has come free, give it back; for ever. Without glibc nothing is done."""
    try:
        library = ctypes.CDLL(None)
        look, trim = library.mallinfo2, library.malloc_trim
    except (OSError, AttributeError):
        return
    look.restype = _Heap
    known = look().fordblks
    while True:
        await asyncio.sleep(INTERVAL)
        free = look().fordblks
        if free > known + LEAST:
            await asyncio.to_thread(trim, 0)
            known = look().fordblks  # what was given back still counts as free
        known = min(known, free)
