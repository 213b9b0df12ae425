"""What changes between two placements: which tenants would go where."""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass

from aggregate.placement.config import TenantPlacementConfig
from aggregate.types import TenantId

SAMPLE = tuple(f"{first}{number}" for first in string.ascii_lowercase + string.digits for number in range(100))
"""Made-up tenants, evenly over the first characters: by them the share of all that would move is told."""


@dataclass(frozen=True, slots=True)
class Move:
    """A tenant that changes its node (None: it has none)."""

    tenant: TenantId
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What a new document would change.

    Attributes:
        moves: of the tenants that were asked about, and of those that are pinned in either document.
        share: of all thinkable tenants the part that would move.
        nodes: sentences on nodes that come, go or change.
    """

    moves: tuple[Move, ...]
    share: float
    nodes: tuple[str, ...]


def difference(before: TenantPlacementConfig, after: TenantPlacementConfig, tenants: Iterable[str] = ()) -> Difference:
    """What `after` changes."""
    asked = sorted({*map(TenantId, tenants), *before.tenants, *after.tenants})
    moves = tuple(Move(each, *pair) for each in asked if len(set(pair := (before.get_node(each), after.get_node(each)))) > 1)
    moving = sum(before.get_node(each) != after.get_node(each) for each in SAMPLE)
    return Difference(moves, moving / len(SAMPLE), tuple(_nodes(before, after)))


def _nodes(before: TenantPlacementConfig, after: TenantPlacementConfig) -> Iterable[str]:
    for name in sorted({*before.nodes, *after.nodes}):
        old, new = before.nodes.get(name), after.nodes.get(name)
        if old is None:
            yield f"{name} comes"
        elif new is None:
            yield f"{name} goes"
        elif old != new:
            changed = [each for each in ("grpc", "admin", "labels", "weight") if getattr(old, each) != getattr(new, each)]
            yield f"{name} changes: {', '.join(f'{each} {_shown(old, each)} -> {_shown(new, each)}' for each in changed)}"


def _shown(node: object, name: str) -> str:
    value = getattr(node, name)
    return str(value if isinstance(value, str | int | None) else dict(value))
