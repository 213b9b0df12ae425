"""`Stores`: the stores of a projection on disk, side by side: the one that answers, and the one that is being built.

<folder>/<16 digits of the digest of all definitions>/    a store
<folder>/<...>.aside-<time>/                               one that was damaged, or of another log
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from aggregate.errors import StorageError
from aggregate.query.definitions import Definitions
from aggregate.query.store import OtherFormat, Store


class Stores:
    """Opens and ends stores; all methods are called in the writing thread.

    Attributes:
        served: answers queries, None while there is none that can.
        building: is being made from the log, None where `served` is what is wanted.
    """

    def __init__(self, folder: Path, definitions: Definitions, *, check: bool) -> None:
        self.served: Store | None = None
        self.building: Store | None = None
        self._folder = folder
        self._definitions = definitions
        self._check = check

    def open(self) -> Store:
        """The store to follow the log with; an older one answers meanwhile, where there is one that can.

        Raises:
            StorageError: it cannot be opened.
        """
        wanted = self._folder / self._definitions.digest[:16]
        if self.served is None:
            for folder in sorted(self._folder.glob("*"), key=lambda each: each.stat().st_mtime, reverse=True):
                if folder != wanted and folder.is_dir() and ".aside-" not in folder.name:
                    self._open_older(folder)
        store = Store(wanted, check=self._check)
        self._check = False
        if not store.incarnation:
            store.describe(self._definitions)
        if store.complete:
            old, self.served, self.building = self.served, store, None
            if old is not None:
                old.delete()
        else:
            self.building = store
        return store

    def set_aside(self, reason: str) -> None:
        """Move all of them out of the way: they are of another log, or damaged. Raises StorageError."""
        for store in self._all():
            store.set_aside(reason)
        self.served = self.building = None

    def set_damaged_aside(self, reason: str) -> None:
        """After a failure of the disk: move those out of the way that can be read no more. Raises StorageError."""
        for store in self._all():
            if store.is_damaged():
                store.set_aside(reason)
                if store is self.served:
                    self.served = None
                else:
                    self.building = None

    def close(self) -> None:
        """Let go of all files, once nobody reads."""
        for store in self._all():
            store.close()
        self.served = self.building = None

    def _all(self) -> Iterator[Store]:
        return iter([store for store in (self.served, self.building) if store is not None])

    def _open_older(self, folder: Path) -> None:
        """Answer from a projection of other definitions until the new one is built; what cannot answer is deleted."""
        with contextlib.suppress(StorageError, ValueError, KeyError):
            try:
                store = Store(folder, check=self._check)
            except OtherFormat:
                shutil.rmtree(folder, ignore_errors=True)
                return
            if self.served is None and store.complete and set(self._definitions.types) <= set(store.indexes):
                self.served = store
            else:
                store.delete()
