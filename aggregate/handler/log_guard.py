"""`LogGuard`: is the log still the one that this node remembers?

A log can be older than what was read from it: restored from a backup, recreated, or a power cut took its newest writes. Then snapshots
and caches are of a history that never was. So the node keeps a canary, the newest lasting message it has seen, and looks whether it
still stands where it stood: at the start, when a connection comes back, whenever the log names less than was known, and every now and
then. While there is doubt nothing is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from typing import NoReturn, Protocol

from aggregate.errors import StorageError, StreamError, Unavailable
from aggregate.stream.headers import MESSAGE_ID
from aggregate.stream.interface import EventLog, StoredMessage
from aggregate.types.canary import Canary

log = logging.getLogger(__name__)

INTERVAL = 60.0
SOON = 1.0
RETRY = 0.1
ATTEMPTS = 8
FIRST_PAUSE = 0.05
"""A canary that is not there may be a server that is behind: it is asked again, for some 12 seconds in all."""


class CanaryStore(Protocol):
    """Where the canary is kept: with the snapshots it guards."""

    def get_canary(self) -> Canary | None:
        """The canary, None before the first."""

    def put_canary(self, canary: Canary) -> None:
        """Remember a greater one."""

    async def set_aside(self, reason: str) -> object:
        """Begin anew, empty and without canary. Raises StorageError."""


class Trusting:
    """What the handler asks of whoever watches over its log. This one trusts it, whatever happens: for tests and tools."""

    def on_replaced(self, forget: Callable[[], None]) -> None:
        """Call `forget` when the log turns out to be another one, before anything is answered again."""

    def saw(self, sequence: int) -> None:
        """A lasting message stands at this sequence."""

    def doubt(self) -> None:
        """Something is odd (the connection went, the log names less than was known): nothing is answered before the next look."""

    def demand_trust(self) -> None:
        """Raises Unavailable while there is doubt."""


class LogGuard(Trusting):
    """Watches over one log for one node.

    Attributes:
        trusted: set while the log is known to be the one remembered.
        replaced: what was found wrong, in words, "" while nothing was.
    """

    def __init__(self, store: CanaryStore, stream: EventLog) -> None:
        self._store = store
        self._stream = stream
        self._newest = 0
        self._forgets: list[Callable[[], None]] = []
        self._wake = asyncio.Event()
        self.trusted = asyncio.Event()
        self.replaced = ""

    @property
    def newest(self) -> int:
        """The greatest sequence seen of a lasting message since the start."""
        return self._newest

    def on_replaced(self, forget: Callable[[], None]) -> None:
        """Call `forget` when the log turns out to be another one, before anything is answered again."""
        self._forgets.append(forget)

    def saw(self, sequence: int) -> None:
        """A lasting message stands at this sequence."""
        self._newest = max(self._newest, sequence)

    def doubt(self) -> None:
        """Something is odd (the connection went, the log names less than was known): nothing is answered before the next look."""
        self.trusted.clear()
        self._wake.set()

    def demand_trust(self) -> None:
        """Raises Unavailable while there is doubt."""
        if not self.trusted.is_set():
            raise Unavailable("the node looks whether the log is the one it remembers", reason="checking_log", retry_after=0.2)

    async def run(self) -> NoReturn:
        """Look whenever there is doubt until there is none, soon after there was something new, and every `INTERVAL` seconds."""
        looked = -math.inf
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SOON if self.trusted.is_set() else RETRY):  # `wait_for` may swallow a cancellation
                    await self._wake.wait()
            self._wake.clear()
            if self.trusted.is_set() and not self._has_news() and time.monotonic() < looked + INTERVAL:
                continue
            try:
                await self.look()
                looked = time.monotonic()
            except (Unavailable, StreamError) as error:
                log.debug("the log cannot be looked at now: %s", error)

    def _has_news(self) -> bool:
        known = self._store.get_canary()
        return self._newest > (known.sequence if known is not None else 0)

    async def look(self) -> None:
        """Compare the canary with the log, then take the newest message for the canary.

        Raises:
            Unavailable, StreamError: the log cannot be read now; trust is as it was.
        """
        canary = self._store.get_canary()
        if canary is not None and (wrong := await self._wrong(canary)):
            await self._begin_anew(wrong)
        self.trusted.set()
        if self._has_news():
            newest = await self._stream.message_at(self._newest)
            if newest is None:
                self.doubt()
            else:
                self._store.put_canary(canary_of(newest))

    async def _wrong(self, canary: Canary) -> str:
        """What is wrong with the log, "" where it holds the canary."""
        for attempt in range(ATTEMPTS):
            stored = await self._stream.message_at(canary.sequence)
            if stored is not None:
                found = canary_of(stored)
                return "" if found == canary else f"{canary} was remembered, the log has {found}"
            self.trusted.clear()
            await asyncio.sleep(FIRST_PAUSE * 2**attempt)
        return f"{canary} was remembered, the log has nothing there"

    async def _begin_anew(self, wrong: str) -> None:
        self.trusted.clear()
        self.replaced = f"the log is not the one this node remembered, its memory was set aside: {wrong}"
        log.error(self.replaced)
        self._newest = 0
        try:
            await self._store.set_aside(wrong)
        except StorageError as error:
            raise Unavailable(f"the snapshots of another log cannot be set aside: {error}", reason="log_replaced") from error
        for forget in self._forgets:
            forget()


def canary_of(stored: StoredMessage) -> Canary:
    """The canary that a message makes."""
    return Canary(stored.sequence, stored.headers.get(MESSAGE_ID, ""), stored.time)
