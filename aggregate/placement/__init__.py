"""Which node serves which tenant."""

from aggregate.engine.ring import HashRing

__all__ = ["HashRing"]
