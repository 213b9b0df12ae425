"""The storage folder of a node: one process at a time, and what it is remembered by outside of LMDB."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from aggregate.errors import StorageError


class StorageFolder:
    """The folder, held by this process until `release`.

    Attributes:
        path: the folder; made where there is none.
        was_running: the process before did not release it properly (it was killed, or the machine went down).

    Raises:
        StorageError: another process holds it, or it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._running = path / "running"
        self._seen = path / "stream-seen"
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StorageError(f"the storage folder {path} cannot be used: {error.strerror or error}") from error
        try:
            self._hold()
            self.was_running = self._running.exists()
            self._running.touch()
        except OSError as error:
            os.close(self._lock)
            raise StorageError(f"the storage folder {path} cannot be used: {error.strerror or error}") from error
        except StorageError:
            os.close(self._lock)
            raise

    def _hold(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(self._lock, 32, 0).decode(errors="replace").strip()
            process = f"process {owner}" if owner else "another process"
            raise StorageError(f"the storage folder {self.path} is in use by {process}; each node wants a folder of its own") from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def release(self, *, clean: bool) -> None:
        """Let another process have it. Not `clean`: the next one looks through the files first."""
        if clean:
            self._running.unlink(missing_ok=True)
        os.close(self._lock)

    def stream_seen(self) -> bool:
        """Whether the log was ever seen from here."""
        return self._seen.exists()

    def mark_stream_seen(self) -> None:
        """Remember for good that it was.

        Raises:
            StorageError: nothing can be written.
        """
        if self._seen.exists():
            return
        try:
            self._seen.touch()
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"the storage folder {self.path} cannot be written: {error.strerror or error}") from error
