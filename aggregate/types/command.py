"""`Command`: what a caller wants done to one aggregate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aggregate.types.ids import AggregateId, AggregateType, TenantId, Version, canonical_uuid, new_uuid7
from aggregate.types.json import Document
from aggregate.types.members import known_members


@dataclass(frozen=True, slots=True)
class Command:
    """A command and its envelope.

    Attributes:
        payload: flat JSON with a string `type`; a Python value is made a `Document`.
        command_id: the caller's id of this command, a UUID (version 7 unless there is a reason): sending it again never does it twice.
        metadata: the caller's notes, strings; `correlation_id`, `traceparent` and `tracestate` are known names.
        expected_version: the version the aggregate must be at, or None.
    """

    tenant_id: TenantId
    aggregate_type: AggregateType
    aggregate_id: AggregateId
    payload: Document
    command_id: str = field(default_factory=new_uuid7)
    metadata: Mapping[str, str] = field(default_factory=dict)
    expected_version: Version | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        if type(self.tenant_id) is not TenantId:
            put(self, "tenant_id", TenantId(self.tenant_id))
        if type(self.aggregate_type) is not AggregateType:
            put(self, "aggregate_type", AggregateType(self.aggregate_type))
        if type(self.aggregate_id) is not AggregateId:
            put(self, "aggregate_id", AggregateId(self.aggregate_id))
        put(self, "command_id", canonical_uuid(self.command_id, "command_id"))
        if type(self.payload) is not Document:
            put(self, "payload", Document.of(self.payload))
        if self.expected_version is not None:
            put(self, "expected_version", Version(self.expected_version))

    @property
    def type(self) -> str | None:
        """The payload's `type`, None where it has none."""
        value = self.payload.value
        found = value.get("type") if isinstance(value, dict) else None
        return found if isinstance(found, str) else None

    def to_dict(self) -> dict[str, Any]:
        """The envelope as JSON values."""
        return {
            "tenant_id": self.tenant_id,
            "command_id": self.command_id,
            "aggregate_id": self.aggregate_id,
            "aggregate_type": self.aggregate_type,
            "payload": self.payload.value,
            "metadata": dict(self.metadata),
            "expected_version": None if self.expected_version is None else int(self.expected_version),
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
        """A command for tests: a deposit of 50 on a new account of `tenant-a`, unless told otherwise."""
        given = {
            "tenant_id": tenant_id,
            "aggregate_type": "Account",
            "aggregate_id": AggregateId.new_v7(),
            "payload": payload if payload is not None else {"type": "deposit", "amount": 50},
        }
        return cls(**{**given, **members})

    @classmethod
    def new_test_deposit_with_tenant(cls, tenant_id: str, amount: int, **members: Any) -> Self:
        """A deposit on a new account of `tenant_id`."""
        return cls.new_test({"type": "deposit", "amount": amount}, tenant_id, **members)
