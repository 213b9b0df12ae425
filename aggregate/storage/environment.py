"""One LMDB environment that looks after itself: it grows, and when it is damaged it is set aside and begun anew, empty.

Losing it loses no fact (the log is the truth), so nothing here tries to repair. Reads come from any thread; writes, growing and setting
aside from one (the writer), so that only the short moments in which the map is exchanged need the lock. A `snapshot` may stay open for
long; the map is not exchanged before the last one is closed.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from aggregate.errors import StorageError

T = TypeVar("T")

MAP_SIZE = 64 * 1024 * 1024
MAX_MAP_SIZE = 1 << 44
CHECK_SECONDS = 15.0

_CHECK = Path(__file__).with_name("check.py")
_DAMAGE = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.VersionMismatchError, lmdb.IncompatibleError)

logger = logging.getLogger("aggregate.storage")


class Damaged(StorageError):
    """The environment's file is damaged: to be set aside."""


class Environment:
    """An LMDB environment in a folder of its own.

    Args:
        folder: made where there is none.
        map_size: bytes that it may have to begin with; doubles by itself.
        check: look through all of it first, in a process of its own (a damaged file can end the process that reads it).
        metasync: whether a power cut can never take the newest transaction (it never harms older ones).

    Attributes:
        map_size: bytes that it may have before it grows.
        set_asides: where damaged or outdated files went.

    Raises:
        StorageError: it cannot be opened (no permission, disk full, ...).
    """

    def __init__(self, folder: Path, map_size: int = MAP_SIZE, *, check: bool = False, metasync: bool = True) -> None:
        self._folder = folder
        self.map_size = map_size
        self._metasync = metasync
        self._swap = threading.Condition()
        self._snapshots = 0
        self.set_asides: list[Path] = []
        self._env: lmdb.Environment | None = None
        if check and (reason := found_damage(folder)):
            self._move(reason)
        self._begin()

    def view(self, look: Callable[[Any], T]) -> T:
        """What `look` finds in one consistent view (a read transaction; its values are buffers valid within).

        Raises:
            Damaged, StorageError
        """
        try:
            with self._swap:
                if self._env is None:
                    raise StorageError(f"{self._folder} is not open")
                with self._env.begin(buffers=True) as transaction:
                    return look(transaction)
        except lmdb.Error as error:
            raise _told(error) from error

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        """A read transaction (its values are bytes) that stays open within; any thread may use it, one at a time.

        Raises:
            Damaged, StorageError: also what goes wrong within.
        """
        try:
            with self._swap:
                if self._env is None:
                    raise StorageError(f"{self._folder} is not open")
                transaction = self._env.begin()
                self._snapshots += 1
            try:
                yield transaction
            finally:
                with self._swap:
                    transaction.abort()
                    self._snapshots -= 1
                    self._swap.notify_all()
        except lmdb.Error as error:
            raise _told(error) from error

    def update(self, change: Callable[[Any], T]) -> T:
        """What `change` returns, its writes on disk. `change` may run more than once; only its last run counts.

        Raises:
            Damaged, StorageError: nothing was written.
        """
        while True:
            try:
                with (self._env or self._begin()).begin(write=True) as transaction:
                    return change(transaction)
            except lmdb.MapFullError:
                self._grow()
            except lmdb.PanicError as error:  # a write failed midway: the handle is dead, the file is not
                self.close()
                raise _told(error) from error
            except lmdb.Error as error:
                raise _told(error) from error

    def set_aside(self, reason: str) -> Path:
        """Move the files to a folder beside, for people to look at, and begin anew. Returns that folder.

        Raises:
            StorageError: they cannot be moved, or nothing can be begun; the next `update` tries to open again.
        """
        self.close()
        moved = self._move(reason)
        self._begin()
        return moved

    def move_aside(self, reason: str) -> Path:
        """Move the files to a folder beside; they stay open until `close`. Returns that folder. Raises StorageError."""
        return self._move(reason)

    def close(self) -> None:
        """Let go of the files, once no snapshot is open."""
        with self._swap:
            self._swap.wait_for(lambda: not self._snapshots)
            if self._env is not None:
                self._env.close()
                self._env = None

    def _begin(self) -> lmdb.Environment:
        """Open; a damaged file is set aside first."""
        try:
            env = self._open()
        except Damaged as damage:
            self._move(str(damage))
            env = self._open()
        with self._swap:
            self._env = env
        return env

    def _open(self) -> lmdb.Environment:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            data = self._folder / "data.mdb"
            size = data.stat().st_size if data.exists() else 0
            size = max(self.map_size, 2 * size)
            env = lmdb.open(str(self._folder), map_size=size, readahead=False, meminit=False, max_readers=2048, metasync=self._metasync)
        except lmdb.Error as error:
            raise _told(error) from error
        except OSError as error:
            raise StorageError(f"{self._folder} cannot be opened: {error.strerror or error}") from error
        used = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
        if data.stat().st_size < used:  # reading past the end would end the process
            env.close()
            raise Damaged(f"the file is cut off: {data.stat().st_size} of {used} bytes")
        try:
            env.reader_check()  # readers of a process that was killed
            with env.begin() as transaction:
                transaction.get(b"~")  # the root can be read
        except lmdb.Error as error:
            env.close()
            raise _told(error) from error
        self.map_size = env.info()["map_size"]
        return env

    def _move(self, reason: str) -> Path:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        target = self._folder.with_name(f"{self._folder.name}.aside-{stamp}")
        try:
            self._folder.rename(target)
        except OSError as error:
            raise StorageError(f"{self._folder} cannot be set aside: {error.strerror or error}") from error
        self.set_asides.append(target)
        logger.error("%s was set aside as %s (%s) and is rebuilt from the log", self._folder, target, reason)
        return target

    def _grow(self) -> None:
        with self._swap:
            self._swap.wait_for(lambda: not self._snapshots)
            assert self._env is not None
            size = 2 * self._env.info()["map_size"]
            if size > MAX_MAP_SIZE:
                raise StorageError(f"{self._folder} is full: {self.map_size} bytes")
            try:
                self._env.set_mapsize(size)
            except lmdb.Error as error:
                raise _told(error) from error
            self.map_size = size
        logger.info("%s may now grow to %d bytes", self._folder, size)


def found_damage(folder: Path, timeout: float = CHECK_SECONDS) -> str | None:
    """What is wrong with the environment in `folder`, found by reading all of it in a process of its own; None: nothing.

    One that takes longer than `timeout` seconds to read counts as sound.
    """
    if not (folder / "data.mdb").exists():
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(_CHECK), str(folder)], capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        logger.warning("%s was not looked through within %g s; it is used as it is", folder, timeout)
        return None
    if done.returncode == 0:
        return None
    words = done.stderr.strip().splitlines()
    return words[-1] if words and done.returncode > 0 else f"reading it ended with signal {-done.returncode}"


def _told(error: lmdb.Error) -> StorageError:
    return Damaged(f"damaged: {error}") if isinstance(error, _DAMAGE) else StorageError(f"LMDB: {error}")
