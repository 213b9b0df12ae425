"""`Keeping`: whose rows the projection of a node keeps, by the placement of now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from aggregate.config.settings import Settings
from aggregate.errors import AggregateError
from aggregate.gateway.routing import NotOwner
from aggregate.placement.ownership import Ownership
from aggregate.types import TenantId


@dataclass(frozen=True, slots=True)
class Keeping:
    """Of one node.

    Attributes:
        nodes: of whose tenants; None: of every tenant.
        for_all: calls of every tenant are answered here.
    """

    ownership: Ownership
    nodes: frozenset[str] | None
    for_all: bool

    @classmethod
    def of_settings(cls, settings: Settings, ownership: Ownership) -> Self:
        """As PROJECTION_TENANTS says. A node that takes commands keeps the rows of its own tenants, whatever else."""
        for_all = settings.role == "query" or settings.routing == "serve"
        named = [each for each in settings.projection_tenants.split(",") if each]
        if "*" in named or (for_all and not named):
            return cls(ownership, None, for_all)
        return cls(ownership, frozenset(named if settings.role == "query" else [*named, ownership.node]), for_all)

    def wanted(self, tenant_id: TenantId) -> bool:
        """Whether the rows of a tenant are to be kept here. From any thread."""
        return self.nodes is None or self.ownership.is_of(tenant_id, self.nodes)

    def ended(self, tenant_id: TenantId) -> AggregateError | None:
        """What live queries of a tenant end in: it has another node now. None: it has not, or that does not matter here."""
        owner, here = self.ownership.owner(tenant_id), self.ownership.node
        if owner is None or owner.id == here or (self.for_all and self.wanted(tenant_id)):
            return None
        return NotOwner(tenant_id, here, owner, moved=True)
