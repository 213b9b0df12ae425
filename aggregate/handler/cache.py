"""`HotCache`: aggregates kept ready, the least recently used dropped first, bounded in bytes."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from aggregate.handler.loaded import Loaded
from aggregate.types import AggregateKey


class HotCache:
    """Loaded aggregates by key.

    Args:
        limit: bytes that the entries may take together, as they say themselves; 0 keeps none.
    """

    __slots__ = ("_entries", "_limit", "bytes", "hits", "misses")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[AggregateKey, Loaded] = OrderedDict()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def get(self, key: AggregateKey) -> Loaded | None:
        """The entry, now the most recently used."""
        found = self._entries.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return found

    def put(self, loaded: Loaded) -> None:
        """Keep an entry, unless a later one of the aggregate is kept."""
        key = loaded.key
        old = self._entries.get(key)
        if old is not None and old.version > loaded.version:
            return
        if loaded.size > self._limit:
            self.drop(key)
            return
        self._entries[key] = loaded
        self.bytes += loaded.size
        if old is not None:
            self._entries.move_to_end(key)
            self.bytes -= old.size
        while self.bytes > self._limit:
            _, dropped = self._entries.popitem(last=False)
            self.bytes -= dropped.size

    def holds(self, loaded: Loaded) -> bool:
        """Whether this very entry is kept."""
        return self._entries.get(loaded.key) is loaded

    def exchange(self, old: Loaded, new: Loaded) -> None:
        """Put `new` in the place of an entry that is kept; no use of it."""
        self._entries[old.key] = new
        self.bytes += new.size - old.size

    def drop(self, key: AggregateKey) -> None:
        """Forget an entry, if there is one."""
        found = self._entries.pop(key, None)
        if found is not None:
            self.bytes -= found.size

    def drop_tenant(self, tenant_id: str) -> None:
        """Forget the entries of a tenant."""
        for key in [key for key in self._entries if key.tenant_id == tenant_id]:
            self.drop(key)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self.bytes = 0

    def recent(self, most: int) -> list[Loaded]:
        """The entries used last, the latest first. Looking at them is no use of them."""
        return list(islice(reversed(self._entries.values()), most))

    def entries(self) -> list[Loaded]:
        """All of them. Looking at them is no use of them."""
        return list(self._entries.values())

    def tenants(self) -> dict[str, int]:
        """How many aggregates of each tenant are kept."""
        counts: dict[str, int] = {}
        for key in self._entries:
            counts[key.tenant_id] = counts.get(key.tenant_id, 0) + 1
        return counts

    def __len__(self) -> int:
        return len(self._entries)
