"""`Event`: what a program decided, as it is told to the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aggregate.types.ids import AggregateId, AggregateType, TenantId, Version, new_uuid7
from aggregate.types.json import Document
from aggregate.types.members import known_members
from aggregate.types.time import now


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one aggregate, and its envelope.

    Attributes:
        version: of the aggregate after this event; the first event is version 1.
        command_id: of the command that caused it.
        timestamp: when it was decided, RFC 3339 UTC with milliseconds.
        metadata: the command's (`correlation_id`, `traceparent`, `tracestate`, the caller's notes).
        position: where in the log it stands (opaque text), "" before it is stored.
    """

    tenant_id: TenantId
    aggregate_type: AggregateType
    aggregate_id: AggregateId
    version: Version
    payload: Document
    command_id: str
    event_id: str = field(default_factory=new_uuid7)
    timestamp: str = field(default_factory=now)
    event_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    position: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        if type(self.tenant_id) is not TenantId:
            put(self, "tenant_id", TenantId(self.tenant_id))
        if type(self.aggregate_type) is not AggregateType:
            put(self, "aggregate_type", AggregateType(self.aggregate_type))
        if type(self.aggregate_id) is not AggregateId:
            put(self, "aggregate_id", AggregateId(self.aggregate_id))
        if type(self.version) is not Version:
            put(self, "version", Version(self.version))
        if type(self.payload) is not Document:
            put(self, "payload", Document.of(self.payload))
        if not self.event_type:
            put(self, "event_type", self.payload.value["type"])

    def to_dict(self) -> dict[str, Any]:
        """The envelope as JSON values."""
        return {
            "tenant_id": self.tenant_id,
            "event_id": self.event_id,
            "aggregate_id": self.aggregate_id,
            "aggregate_type": self.aggregate_type,
            "version": int(self.version),
            "event_type": self.event_type,
            "payload": self.payload.value,
            "command_id": self.command_id,
            "timestamp": self.timestamp,
            "metadata": dict(self.metadata),
            "position": self.position,
        }

    @classmethod
    def from_dict(cls, members: Mapping[str, Any]) -> Self:
        """The envelope that `to_dict` wrote.

        Raises:
            ValidationError: a member is missing or of the wrong form.
        """
        return cls(**known_members(cls, members))

    @classmethod
    def new_test(cls, payload: Any = None, tenant_id: str = "tenant-a", **members: Any) -> Self:
        """An event for tests: version 1 of a new account of `tenant-a`, a deposit of 50, unless told otherwise."""
        given = {
            "tenant_id": tenant_id,
            "aggregate_type": "Account",
            "aggregate_id": AggregateId.new_v7(),
            "version": 1,
            "payload": payload if payload is not None else {"type": "deposited", "amount": 50},
            "command_id": new_uuid7(),
        }
        return cls(**{**given, **members})

    @classmethod
    def new_test_with_tenant(cls, tenant_id: str, **members: Any) -> Self:
        """An event of `tenant_id` for tests."""
        return cls.new_test(tenant_id=tenant_id, **members)
