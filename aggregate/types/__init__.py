"""The nouns: frozen, slotted values without I/O."""

from aggregate.types.command import Command
from aggregate.types.commit import AggregateKey, Commit, CommitMessage, CommittedEvent, Refusal
from aggregate.types.event import Event
from aggregate.types.ids import AggregateId, AggregateType, TenantId, Version, new_uuid7, uuid7_milliseconds
from aggregate.types.json import Document
from aggregate.types.receipt import Receipt
from aggregate.types.snapshot import AggregateState, Snapshot

__all__ = [
    "AggregateId",
    "AggregateKey",
    "AggregateState",
    "AggregateType",
    "Command",
    "Commit",
    "CommitMessage",
    "CommittedEvent",
    "Document",
    "Event",
    "Receipt",
    "Refusal",
    "Snapshot",
    "TenantId",
    "Version",
    "new_uuid7",
    "uuid7_milliseconds",
]
