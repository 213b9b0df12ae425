"""A child process that never outlives this one, even when this one is killed with SIGKILL.

A POSIX shell starts a watcher in the background and then becomes the program itself (`exec`), so the pid we know is the program's. The
watcher reads a pipe whose other end only this process holds: end of file means that this process is gone, and the watcher kills the
program; a line means that all is well and the watcher leaves. Where `/proc` exists it makes sure that the pid is still its parent's, so
that a pid in its second life is never hit. This needs no code between fork and exec (unsafe with threads) and no thread to live on (as
Linux's PDEATHSIG does).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

_TETHER = """
exec 3<&0
(
    read -r line <&3 && exit
    if read -r pid name status parent rest 2>/dev/null </proc/self/stat && [ "$parent" != "$$" ]; then exit; fi
    kill -KILL "$$"
) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"""


class TetheredProcess:
    """A running program; start it with `start`, end it with `stop`."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen

    @classmethod
    def start(cls, command: Sequence[str], output: Path) -> TetheredProcess:
        """Run `command` (absolute path first) in its own session, so that a terminal's Ctrl-C does not reach it before we drained.

        What it prints is appended to `output`.

        Raises:
            OSError: it cannot be started.
        """
        with output.open("ab") as sink:
            popen = subprocess.Popen(
                ["/bin/sh", "-c", _TETHER, "sh", *command], stdin=subprocess.PIPE, stdout=sink, stderr=sink, start_new_session=True
            )
        return cls(popen)

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: the signal), None while it runs."""
        return self._popen.poll()

    def send(self, number: int) -> None:
        """Send a signal; nothing happens where the program has ended."""
        self._popen.send_signal(number)

    def pause(self) -> None:
        """Freeze it (SIGSTOP); returns when it stands still."""
        self.send(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Undo `pause`."""
        self.send(signal.SIGCONT)

    async def stop(self, timeout: float = 10.0, *, how: int = signal.SIGTERM) -> int:
        """End it with the signal `how`, with SIGKILL when that takes longer than `timeout` seconds. Returns the exit code."""
        self.send(how)
        if how not in {signal.SIGKILL, signal.SIGSTOP}:
            self.send(signal.SIGCONT)  # a paused program would not hear it
        deadline = time.monotonic() + timeout
        try:
            while self.exit_code is None and time.monotonic() < deadline:  # noqa: ASYNC110 (only the kernel could set an event)
                await asyncio.sleep(0.005)
        finally:
            if self.exit_code is None:
                self.send(signal.SIGKILL)
            code = self._popen.wait()
            self._release()
        return code

    def _release(self) -> None:
        """Tell the watcher that all is well."""
        pipe = self._popen.stdin
        if pipe is not None and not pipe.closed:
            with contextlib.suppress(OSError):
                os.write(pipe.fileno(), b"done\n")
            pipe.close()
