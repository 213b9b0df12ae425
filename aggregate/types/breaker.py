"""`Breaker`: stops asking a part that keeps failing, and finds out when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """`closed`: all goes through; `open`: nothing does; `half_open`: one attempt is out to see whether the part is back."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after `threshold` failures in a row; `reset` seconds later lets one attempt through, whose success closes it again.

    Ask `allow` before an attempt and tell `success` or `failure` after it. An attempt that never tells (its task was cancelled) holds
    the others up for another `reset` seconds at most. Knows no kind of error and does no I/O; safe for several threads.

    Args:
        threshold: failures in a row that open it, at least 1.
        reset: seconds from opening to the next attempt.
        clock: seconds of a clock that never goes back.
    """

    __slots__ = ("_clock", "_failures", "_lock", "_reset", "_state", "_threshold", "_until")

    def __init__(self, threshold: int = 5, reset: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        if threshold < 1:
            raise ValueError(f"the threshold of a breaker is at least 1, got {threshold}")
        self._threshold = threshold
        self._reset = reset
        self._clock = clock
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._until = 0.0

    @property
    def state(self) -> BreakerState:
        """The state now (an open breaker stays `open` until somebody asks for the attempt it would allow)."""
        return self._state

    @property
    def failures(self) -> int:
        """Failures since the last success."""
        return self._failures

    @property
    def retry_after(self) -> float:
        """Seconds until an attempt may be allowed, 0 when one is now."""
        return 0.0 if self._state is BreakerState.CLOSED else max(0.0, self._until - self._clock())

    def allow(self) -> bool:
        """Whether an attempt may be made now. True obliges the caller to tell how it went."""
        with self._lock:
            if self._state is BreakerState.CLOSED:
                return True
            now = self._clock()
            if now < self._until:
                return False
            self._state = BreakerState.HALF_OPEN
            self._until = now + self._reset
            return True

    def success(self) -> None:
        """An attempt went well: closes."""
        if self._failures or self._state is not BreakerState.CLOSED:
            with self._lock:
                self._failures = 0
                self._state = BreakerState.CLOSED

    def failure(self) -> None:
        """An attempt failed: opens at the threshold, and at once when it was the one that tried a half-open breaker."""
        with self._lock:
            self._failures += 1
            if self._state is BreakerState.HALF_OPEN or (self._state is BreakerState.CLOSED and self._failures >= self._threshold):
                self._state = BreakerState.OPEN
                self._until = self._clock() + self._reset
