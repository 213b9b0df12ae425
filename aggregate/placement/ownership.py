"""`Ownership`: whether a tenant is this node's, and whose it is, by the placement of now."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection

from aggregate.errors import AggregateError, StreamError
from aggregate.placement.config import PlacementNode, TenantPlacementConfig
from aggregate.placement.watch import PlacementWatch
from aggregate.stream.codec import decode_message
from aggregate.stream.interface import StoredMessage
from aggregate.types import TenantId

EPOCH = "aggregate.epoch"
"""In a commit's metadata: the epoch of the placement that the command was taken under. For whoever looks back, and for a node that does not
know that placement yet: it looks. It decides nothing.
"""
_EPOCHS = re.compile(rb'"aggregate\.epoch":"(\d{1,18})"')
REMEMBERED = 100_000
"""Tenants whose node is kept at hand."""
REFRESH_EVERY = 0.2
"""Seconds between two looks at the bucket that others' answers make us take."""
REFRESH_TIMEOUT = 1.0


class Ownership:
    """The placement, as one of its nodes sees it."""

    def __init__(self, node: str, watch: PlacementWatch) -> None:
        """`node`: this one's name."""
        self.node = node
        self._watch = watch
        self._owners: dict[str, PlacementNode | None] = {}
        self._looked = -REFRESH_EVERY
        self._heard = 0
        watch.listen(self._changed)

    @property
    def known(self) -> bool:
        """Whether tenants have nodes at all."""
        return bool(self._watch.config.nodes)

    @property
    def epoch(self) -> int:
        """Of the placement."""
        return self._watch.config.epoch

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the placement has changed."""
        self._watch.listen(lambda before, after: listener())

    def on_changed(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener` with the gRPC addresses of all nodes whenever the placement has changed."""
        self._watch.listen(lambda _, after: listener({node.grpc for node in after.nodes.values() if node.grpc is not None}))

    def owner(self, tenant: TenantId) -> PlacementNode | None:
        """The node of a tenant, None where nobody is placed. From any thread."""
        try:
            return self._owners[tenant]
        except KeyError:
            return self._find(tenant)

    def is_mine(self, tenant: TenantId) -> bool:
        """Whether the tenant is this node's, or nobody's."""
        owner = self.owner(tenant)
        return owner is None or owner.id == self.node

    def is_of(self, tenant: TenantId, nodes: Collection[str]) -> bool:
        """Whether the tenant is one of these nodes', or on its way to one, or nobody's. From any thread."""
        owner = self.owner(tenant)
        moving = self._watch.config.draining.get(tenant)
        return owner is None or owner.id in nodes or (moving is not None and moving.to in nodes)

    def pinned(self) -> list[TenantId]:
        """The tenants that the document pins to this node."""
        config = self._watch.config
        return [tenant for tenant in config.tenants if config.get_node(tenant) == self.node]

    def read(self, message: StoredMessage) -> None:
        """Look at the bucket soon where a message was written under a newer placement than any that we heard of."""
        known = max(self.epoch, self._heard)
        if all(int(each) <= known for each in _EPOCHS.findall(message.body)):
            return  # as good as always; what a payload says in the same words is told apart below
        try:
            found = int(decode_message(message).commits[-1].metadata.get(EPOCH, "0"))
        except (StreamError, ValueError):
            return  # whoever reads it for what it says will say so
        if found > known:
            self._heard = found
            self._watch.hint()

    async def refresh(self) -> None:
        """Look at the bucket, because an answer of another node says that ours is old; what cannot be read stays as it is."""
        if time.monotonic() < self._looked + REFRESH_EVERY:
            return
        try:
            async with asyncio.timeout(REFRESH_TIMEOUT):
                await self._watch.reload()
        except (AggregateError, TimeoutError):
            return
        finally:
            self._looked = time.monotonic()

    def _find(self, tenant: TenantId) -> PlacementNode | None:
        owners, config = self._owners, self._watch.config  # in this order: what is found by an older document is not kept for a newer one
        name = config.get_node(tenant)
        found = None if name is None else config.nodes[name]
        if len(owners) >= REMEMBERED:
            owners.clear()
        owners[tenant] = found
        return found

    def _changed(self, before: TenantPlacementConfig, after: TenantPlacementConfig) -> None:
        self._owners = {}
