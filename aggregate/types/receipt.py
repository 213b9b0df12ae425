"""`Receipt`: what became of an accepted command."""

from __future__ import annotations

from dataclasses import dataclass

from aggregate.types.event import Event
from aggregate.types.ids import AggregateId, AggregateType, TenantId, Version


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an accepted command.

    Attributes:
        version: of the aggregate after the command's own commit.
        position: of that commit in the log (opaque text).
        duplicate: the command had been accepted before; this is the original outcome.
        gas_used: what deciding and applying cost.
        events: the command's events, in order; none where it was accepted and nothing happened.
    """

    command_id: str
    tenant_id: TenantId
    aggregate_type: AggregateType
    aggregate_id: AggregateId
    version: Version
    position: str
    duplicate: bool
    gas_used: int
    events: tuple[Event, ...]
