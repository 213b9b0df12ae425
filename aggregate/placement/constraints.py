"""`ConstraintGenerator`: from placement to the constraints by which Docker Swarm puts a service's tasks on machines."""

from __future__ import annotations

from collections.abc import Iterable

from aggregate.placement.checks import LABEL
from aggregate.placement.config import TenantPlacementConfig
from aggregate.placement.ranges import TenantRange


class ConstraintGenerator:
    """Constraints on a label of the machines.

    Args:
        label: the label that holds a machine's range.
    """

    def __init__(self, label: str = LABEL) -> None:
        self._label = label

    def generate(self, tenants: TenantRange) -> list[str]:
        """The constraints of the service for a range: `node.labels.tenant_range==a-m`."""
        return [f"node.labels.{self._label}=={tenants}"]

    def for_placement(self, placement: TenantPlacementConfig) -> dict[str, list[str]]:
        """For each range of the document the constraints of its service."""
        return {str(each): self.generate(each) for each in sorted(placement.tenant_ranges)}

    def arguments(self, tenants: TenantRange) -> list[str]:
        """As options of `docker service create`."""
        return [word for each in self.generate(tenants) for word in ("--constraint", each)]

    def changes(self, before: Iterable[TenantRange], after: Iterable[TenantRange]) -> list[str]:
        """As options of `docker service update`: what takes a service from the old ranges to the new."""
        old = {each for tenants in before for each in self.generate(tenants)}
        new = {each for tenants in after for each in self.generate(tenants)}
        removed = [word for each in sorted(old - new) for word in ("--constraint-rm", each)]
        return removed + [word for each in sorted(new - old) for word in ("--constraint-add", each)]
