"""Which node serves which tenant."""

from aggregate.engine.ring import HashRing
from aggregate.placement.config import Draining, PlacementNode, TenantPlacementConfig
from aggregate.placement.constraints import ConstraintGenerator
from aggregate.placement.ranges import TenantRange

__all__ = ["ConstraintGenerator", "Draining", "HashRing", "PlacementNode", "TenantPlacementConfig", "TenantRange"]
