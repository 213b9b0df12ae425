"""Where log lines go: a bounded queue, and a thread that takes what has gathered, so that no reader ever holds the node up."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import IO

MAX_LINES = 10_000
GATHER = 0.02
"""Seconds that lines gather before they are written: waking a thread for each would cost a command more than its line."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class LineSink:
    """Takes lines from any thread, writes them in order to a stream. When the reader is too slow, new lines are dropped and counted.

    Args:
        stream: where to; a subclass may write elsewhere.
        most: lines that may wait.
        held: write nothing before `release` (or `close`).
    """

    def __init__(self, stream: IO[bytes] | None, most: int = MAX_LINES, *, held: bool = False) -> None:
        self._stream = stream
        self._most = most
        self._lines: deque[bytes] = deque()
        self._news = threading.Event()
        self._free = threading.Event()
        self._closing = threading.Event()
        self.dropped = 0
        if not held:
            self._free.set()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Hand over a line (without its end). Never waits, never raises."""
        if len(self._lines) >= self._most or self._closing.is_set():
            self.dropped += 1
            return
        self._lines.append(line)
        if not self._news.is_set():
            self._news.set()

    def release(self) -> None:
        """Write from now on."""
        self._free.set()

    def close(self, timeout: float = 2.0) -> None:
        """Write what is waiting, for `timeout` seconds at most, and take no more."""
        self._closing.set()
        self._free.set()
        self._news.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        self._free.wait()
        while True:
            self._news.wait()
            last = self._closing.wait(GATHER)
            self._news.clear()
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if lines:
                self._write(lines)
            if last:
                return

    def _write(self, lines: list[bytes]) -> None:
        assert self._stream is not None, "a subclass without a stream writes by itself"
        rest = memoryview(b"\n".join(lines) + b"\n")
        try:
            while rest:
                rest = rest[self._stream.write(rest) :]
        except (OSError, ValueError):  # the reader went away, the stream was closed: there is nobody to tell
            self.dropped += len(lines)


def descriptor(number: int) -> IO[bytes]:
    """A file descriptor of this process to write to. No buffer: a lock that a thread holds while it waits would break the process's end."""
    return open(number, "wb", buffering=0, closefd=False)


class SocketSink(LineSink):
    """Lines to a Unix socket, each ended by a newline. A connection that is not there, or goes, is tried again; meanwhile lines wait.

    A line that was sent in part is sent again as a whole over the next connection; a reader that saw its beginning sees no end of it there.
    """

    def __init__(self, path: Path, most: int = MAX_LINES) -> None:
        self._path = path
        self._connection: socket | None = None
        self._waiting = 0
        super().__init__(None, most)

    @property
    def connected(self) -> bool:
        """Whether somebody is there."""
        return self._connection is not None

    def put(self, line: bytes) -> None:
        """As `LineSink.put`; lines that are being sent count among those that wait."""
        if len(self._lines) + self._waiting >= self._most:
            self.dropped += 1
        else:
            super().put(line)

    def close(self, timeout: float = 2.0) -> None:
        """As `LineSink.close`; what could not be sent by then is dropped and counted."""
        super().close(timeout)
        self._close()

    def _write(self, lines: list[bytes]) -> None:
        waiting = deque(lines)
        self._waiting = len(waiting)
        pause = FIRST_PAUSE
        give_up: float | None = None
        while waiting:
            if self._closing.is_set():
                give_up = give_up if give_up is not None else time.monotonic() + 1.0
                if time.monotonic() > give_up:
                    self.dropped += len(waiting)
                    break
            try:
                self._send(waiting)
                pause = FIRST_PAUSE
            except OSError:
                self._close()
                if self._closing.wait(pause):
                    time.sleep(min(pause, FIRST_PAUSE))
                pause = min(2 * pause, LONGEST_PAUSE)
            self._waiting = len(waiting)

    def _send(self, waiting: deque[bytes]) -> None:
        """Send the first line, all of it. Raises OSError: it may have gone in part."""
        if self._connection is None:
            connection = socket(AF_UNIX, SOCK_STREAM)
            try:
                connection.settimeout(1.0)
                connection.connect(str(self._path))
            except OSError:
                connection.close()
                raise
            self._connection = connection
        block, count = bytearray(), 0
        while count < len(waiting) and len(block) < 65536:
            block += waiting[count] + b"\n"
            count += 1
        sent = 0
        try:
            while sent < len(block):
                try:
                    sent += self._connection.send(memoryview(block)[sent:])
                except TimeoutError:  # a slow reader is still a reader
                    if self._closing.is_set():
                        raise
        finally:
            whole = bytes(block[:sent]).count(b"\n")
            for _ in range(min(whole, count)):
                waiting.popleft()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()
