"""`Store`: one projection on disk, an LMDB environment in a folder of its own. What it says of itself stands in it."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from aggregate.errors import StorageError
from aggregate.query.definitions import Definitions
from aggregate.query.holdings import Holdings
from aggregate.query.stored import FORMAT, SEQUENCE
from aggregate.query.view import View
from aggregate.storage.environment import Damaged, Environment
from aggregate.types import AggregateType
from aggregate.types.canary import Canary

MAP_SIZE: Final = 1 << 40
"""Address space, no memory: so that the map need not be exchanged while somebody reads."""

ABOUT: Final = b"mabout"
CANARY: Final = b"mcanary"
COMPLETE: Final = b"mcomplete"

T = TypeVar("T")


class OtherFormat(StorageError):
    """The store was written by another version of this: nothing here reads it."""


class Store:
    """A projection on disk. Read from any thread, written from one.

    Attributes:
        folder: where it is.
        incarnation: digest of what its rows are made of.
        indexes: paths with an index, by type.
        canary: the newest lasting message that went in, None before the first. It is the place to read on from: what stands behind it may
            be gone with a log that is restored, and its numbers given to other messages.
        holdings: which tenants' rows it has.
        complete: it has once come to the end of the log, so that queries may be answered from it.
    """

    def __init__(self, folder: Path, *, check: bool = False) -> None:
        """Open what stands in `folder`, or begin it (then `describe` it).

        Raises:
            OtherFormat, StorageError: it cannot be opened.
        """
        self.folder = folder
        self._environment = Environment(folder, MAP_SIZE, check=check, metasync=False)
        self._views = 0
        self._retired: Callable[[], None] | None = None
        self._gate = threading.Lock()
        self.incarnation = ""
        self.indexes: Mapping[AggregateType, tuple[str, ...]] = {}
        self.canary: Canary | None = None
        self.complete = False
        try:
            self._load()
            self.holdings = Holdings(self._environment)
        except BaseException:
            self._environment.close()
            raise

    def is_damaged(self) -> bool:
        """Whether the files can be read no more."""
        try:
            self._load()
        except Damaged:
            return True
        except StorageError:
            return False
        return False

    def describe(self, definitions: Definitions) -> None:
        """Say what the rows are made of: of a store that was begun anew. Raises StorageError."""
        about = {"format": FORMAT, "digest": definitions.digest, "types": definitions.indexes()}
        self._environment.update(lambda transaction: transaction.put(ABOUT, json.dumps(about).encode()))
        self._load()

    @property
    def sequence(self) -> int:
        """Of the log, up to which it is."""
        return 0 if self.canary is None else self.canary.sequence

    def write(self, change: Callable[[Any], T], canary: Canary) -> T:
        """Run `change` in a transaction that also takes the projection to `canary`; `change` may run more than once.

        Raises:
            StorageError: nothing was written.
        """

        def work(transaction: Any) -> T:
            done = change(transaction)
            self.holdings.note(transaction)
            transaction.put(CANARY, SEQUENCE.pack(canary.sequence) + SEQUENCE.pack(canary.time) + canary.message_id.encode())
            return done

        done = self._environment.update(work)
        self.holdings.noted()
        self.canary = canary
        return done

    def mark_complete(self) -> None:
        """Remember that it has come to the end of the log. Raises StorageError."""
        self._environment.update(lambda transaction: transaction.put(COMPLETE, b"1"))
        self.complete = True

    @contextmanager
    def view(self) -> Iterator[View]:
        """All of it as of one moment; whatever is written meanwhile.

        Raises:
            StorageError: also what goes wrong within.
        """
        with self._gate:
            if self._retired is not None:
                raise StorageError(f"{self.folder} was replaced")
            self._views += 1
        try:
            with self._environment.snapshot() as transaction:
                yield View(transaction, SEQUENCE.unpack(transaction.get(CANARY, bytes(8))[:8])[0], self.indexes, self.incarnation)
        finally:
            with self._gate:
                self._views -= 1
                last = self._retired if not self._views else None
            if last is not None:
                last()

    def close(self) -> None:
        """Let go of the files, as soon as nobody reads."""
        self._retire(self._environment.close)

    def delete(self) -> None:
        """Remove the files, as soon as nobody reads."""
        self._retire(self._remove)

    def set_aside(self, reason: str) -> None:
        """Move the files out of the way and let go of them, as soon as nobody reads. Raises StorageError."""
        self._environment.move_aside(reason)
        self.close()

    def _retire(self, end: Callable[[], None]) -> None:
        with self._gate:
            if self._retired is not None:
                return
            self._retired = end
            now = not self._views
        if now:
            end()

    def _remove(self) -> None:
        self._environment.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load(self) -> None:
        found = self._environment.view(lambda transaction: [bytes(transaction.get(key, b"")) for key in (ABOUT, CANARY, COMPLETE)])
        if found[0]:
            about = json.loads(found[0])
            if about.get("format") != FORMAT:
                raise OtherFormat(f"{self.folder}: a projection of format {about.get('format')}")
            self.incarnation = str(about["digest"])
            self.indexes = {AggregateType(name): tuple(paths) for name, paths in about["types"].items()}
        self.canary = _canary(found[1]) if found[1] else None
        self.complete = bool(found[2])


def _canary(raw: bytes) -> Canary:
    return Canary(SEQUENCE.unpack_from(raw)[0], raw[16:].decode(), SEQUENCE.unpack_from(raw, 8)[0])
