"""`PlacementStore`: the document in the key-value bucket, read and changed by compare-and-set."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from aggregate.errors import StreamConflict, Unavailable
from aggregate.placement.config import TenantPlacementConfig
from aggregate.stream.kv import KeyValue
from aggregate.stream.watch import PLACEMENT as BUCKET
from aggregate.types import TenantId

__all__ = ["BUCKET", "PlacementStore", "StoredPlacement"]

KEY = "placement"
ATTEMPTS = 20
LONGEST_WAIT = 0.5


@dataclass(frozen=True, slots=True)
class Drained:
    """A node's word that a tenant is drained: nothing of it is under way there, and nothing comes in.

    Attributes:
        epoch: of the document that asked for it.
        migration: the one it is for.
    """

    node: str
    epoch: int
    migration: str


Change = Callable[[TenantPlacementConfig], TenantPlacementConfig]


@dataclass(frozen=True, slots=True)
class StoredPlacement:
    """A document and its revision in the bucket (0: there is none in it)."""

    config: TenantPlacementConfig
    revision: int


class PlacementStore:
    """The bucket `TENANT_PLACEMENT`."""

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket = bucket

    async def load(self) -> StoredPlacement | None:
        """The document; None where there is none.

        Raises:
            Unavailable, StreamError: it cannot be read. ConfigError: what is there is no document.
        """
        entry = await self._bucket.get(KEY)
        return None if entry is None else StoredPlacement(TenantPlacementConfig.from_json(entry.value), entry.revision)

    async def put(self, config: TenantPlacementConfig, *, revision: int) -> StoredPlacement:
        """Write the document where the bucket still has this revision (0: none); makes the bucket where it is absent.

        Raises:
            StreamConflict: it has another one. Unavailable: it may or may not have been written. StreamError: refused.
        """
        await self._bucket.ensure()
        return StoredPlacement(config, await self._bucket.put(KEY, config.to_json(), revision=revision))

    async def update(self, change: Change) -> StoredPlacement:
        """Change the document, whoever else does so at the same time: `change` gets the newest one each time (an empty one where there is
        none), and returns what should be there, or the same one where that is so already.

        Raises:
            what `change` raises; Unavailable, StreamError, ConfigError as `load` and `put`.
        """
        for attempt in range(ATTEMPTS):
            found = await self.load() or StoredPlacement(TenantPlacementConfig.from_values({}), 0)
            wanted = change(found.config)
            if wanted == found.config and found.revision:
                return found
            try:
                return await self.put(wanted, revision=found.revision)
            except StreamConflict:
                await asyncio.sleep(random.uniform(0, min(LONGEST_WAIT, 0.01 * 2**attempt)))
            except Unavailable:
                seen = await self.load()  # perhaps it was written all the same
                if seen is not None and seen.config == wanted:
                    return seen
                raise
        raise Unavailable("the placement is being changed by others all the time", "placement_contended")

    async def drained(self, tenant: TenantId) -> Drained | None:
        """The last word on a tenant, None where there is none. Raises Unavailable, StreamError."""
        entry = await self._bucket.get(_drained_key(tenant))
        if entry is None:
            return None
        try:
            members = json.loads(entry.value)
            return Drained(str(members["node"]), int(members["epoch"]), str(members["migration"])) if members["v"] == 1 else None
        except (ValueError, KeyError, TypeError):
            return None

    async def tell_drained(self, tenant: TenantId, drained: Drained) -> None:
        """Give our word on a tenant. Raises Unavailable, StreamError, StreamConflict: somebody gave his at the same time."""
        key = _drained_key(tenant)
        entry = await self._bucket.get(key)
        value = json.dumps({"v": 1, **asdict(drained)}, separators=(",", ":"), sort_keys=True).encode()
        await self._bucket.put(key, value, revision=0 if entry is None else entry.revision)

    async def watch(self, changed: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        """Call `changed` when something in the bucket was written, as a hint; it ends with the connection. Raises Unavailable."""
        return await self._bucket.watch(changed)


def _drained_key(tenant: TenantId) -> str:
    return f"drained.{tenant or '~'}"
