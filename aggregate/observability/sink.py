"""Where log lines go: a queue and a thread that writes, so that a full pipe or a slow terminal never holds the node up."""

from __future__ import annotations

import threading
from collections import deque
from typing import IO

MAX_LINES = 10_000


class LineSink:
    """Takes lines from any thread, writes them in order. When the reader is too slow, new lines are dropped and counted."""

    def __init__(self, stream: IO[bytes], most: int = MAX_LINES) -> None:
        self._stream = stream
        self._most = most
        self._lines: deque[bytes] = deque()
        self._wake = threading.Condition()
        self._writing = False
        self._closed = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Hand over a line (without its end). Never waits, never raises."""
        with self._wake:
            if self._closed or len(self._lines) >= self._most:
                self.dropped += 1
                return
            self._lines.append(line)
            self._wake.notify()

    def close(self, timeout: float = 2.0) -> None:
        """Write what is waiting, for `timeout` seconds at most, and take no more."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._lines and not self._closed:
                    self._wake.wait()
                if not self._lines:
                    return
                lines = list(self._lines)
                self._lines.clear()
            try:
                self._stream.write(b"\n".join(lines) + b"\n")
                self._stream.flush()
            except (OSError, ValueError):  # the reader went away, the stream was closed: there is nobody to tell
                self.dropped += len(lines)
