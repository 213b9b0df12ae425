"""`Holdings`: which tenants' rows a store has. It stands in the store and is written with the rows, so it is always true of them.

Of every tenant that the log was seen to have: its rows are `HERE`, as of the store's place; it is `AWAY`, passed over, and there is no row
of it; it is `COMING`, its rows are as of a place of their own; it is `LEAVING`, what is left of it is being removed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from aggregate.query.stored import SEQUENCE, tenant_key, tenant_of, tenant_prefixes
from aggregate.storage.environment import Environment
from aggregate.types import TenantId

HERE: Final = b"h"
AWAY: Final = b"a"
COMING: Final = b"c"
LEAVING: Final = b"l"

ERASED_AT_ONCE: Final = 5_000
"""Entries removed in one transaction: others want to write too."""

Wanted = Callable[[TenantId], bool]


class Holdings:
    """Of one store. What is not said to be otherwise is called in the writing thread."""

    def __init__(self, environment: Environment) -> None:
        """Read them. Raises StorageError."""
        self._environment = environment
        self._standing: dict[TenantId, bytes] = environment.view(_read)
        self._new: dict[TenantId, bytes] = {}
        self._seen: deque[TenantId] = deque()

    def has(self, tenant_id: TenantId) -> bool:
        """Whether all rows of a tenant are here, as of the store's place. From any thread."""
        return self._standing.get(tenant_id, HERE) == HERE  # of one that was never seen there are none

    def takes(self, tenant_id: TenantId, wanted: Wanted) -> bool:
        """Whether what the log has of a tenant goes in; one that is seen for the first time stays as is `wanted` now."""
        standing = self._standing.get(tenant_id) or self._new.get(tenant_id)
        if standing is None:
            standing = self._new[tenant_id] = HERE if wanted(tenant_id) else AWAY
        return standing == HERE

    def note(self, transaction: Any) -> None:
        """Put the tenants that are new into the transaction that holds their first rows."""
        for tenant_id, standing in self._new.items():
            transaction.put(tenant_key(tenant_id), standing)

    def noted(self) -> None:
        """It was committed."""
        if self._new:
            self._standing.update(self._new)
            self._seen.extend(self._new)
            self._new.clear()

    def seen(self) -> Iterator[TenantId]:
        """Those that were seen for the first time since the last call. From any thread."""
        while self._seen:
            yield self._seen.popleft()

    def coming(self, wanted: Wanted) -> dict[TenantId, int]:
        """Those that are wanted and not here, with the place that their rows are as of. From any thread."""
        standing = list(self._standing.items())
        return {each: _place(value) for each, value in standing if value[:1] in {AWAY, COMING} and wanted(each)}

    def put(self, change: Callable[[Any], object], standing: bytes, tenants: Collection[TenantId]) -> None:
        """Run `change` in a transaction that also says how tenants stand after it; it may run more than once. Raises StorageError."""

        def work(transaction: Any) -> None:
            change(transaction)
            for each in tenants:
                transaction.put(tenant_key(each), standing)

        self._environment.update(work)
        self._standing.update(dict.fromkeys(tenants, standing))

    def dismiss(self, wanted: Wanted) -> None:
        """Rows of those that are not wanted are made no more. Raises StorageError."""
        gone = [each for each, standing in self._standing.items() if standing[:1] in {HERE, COMING} and not wanted(each)]
        if gone:
            self.put(lambda _: None, LEAVING, gone)

    def erase(self) -> TenantId | None:
        """Remove some of what is left of one that leaves, None: there is nothing left. Raises StorageError."""
        leaving = next((each for each, standing in self._standing.items() if standing == LEAVING), None)
        if leaving is not None and self._environment.update(lambda transaction: _erase(transaction, leaving)):
            self.put(lambda _: None, AWAY, [leaving])
        return leaving


def as_of(sequence: int) -> bytes:
    """How one stands that is coming, with its rows as of a place."""
    return COMING + SEQUENCE.pack(sequence)


def _place(standing: bytes) -> int:
    return int(SEQUENCE.unpack_from(standing, 1)[0]) if standing[:1] == COMING else 0


def _read(transaction: Any) -> dict[TenantId, bytes]:
    return {tenant_of(bytes(key)): bytes(value) for key, value in _entries(transaction, tenant_key(TenantId("")))}


def _entries(transaction: Any, prefix: bytes) -> Iterator[tuple[Any, Any]]:
    cursor = transaction.cursor()
    if cursor.set_range(prefix):
        for key, value in cursor:
            if bytes(key[: len(prefix)]) != prefix:
                return
            yield key, value


def _erase(transaction: Any, tenant_id: TenantId) -> bool:
    """Remove some entries of a tenant; whether none is left."""
    room = ERASED_AT_ONCE
    cursor = transaction.cursor()
    for prefix in tenant_prefixes(tenant_id):
        while cursor.set_range(prefix) and cursor.key().startswith(prefix):
            if not room:
                return False
            cursor.delete()
            room -= 1
    return True
