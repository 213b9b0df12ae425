"""`Snapshot`: a state at a version, with what a node needs to go on from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aggregate.types.commit import AggregateKey
from aggregate.types.ids import AggregateId, AggregateType, TenantId, Version
from aggregate.types.json import Document
from aggregate.types.members import known_members
from aggregate.types.time import now


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state at a version. Can be deleted at any moment without losing a fact.

    Attributes:
        state: canonical JSON of the state.
        program: digest of the program whose `apply` made the state, hex; "" where none is known.
        language: version of the language.
        generation: the program's number among those of the type.
        sequence: sequence in the stream of the last message folded in that does not expire (0: none known).
        state_hash: sha256 of the state, hex; "" where none was computed.
        last_time: time of the last commit folded in, "" where there is none.
        command_ids: kept command ids with the sequence of their message: the greatest of version 7, ascending, then others.
        floor: the greatest version 7 command id ever dropped from `command_ids`, "" while none was.
        other_ids: whether a command id that is no version 7 UUID was ever dropped from `command_ids`.
    """

    tenant_id: TenantId
    aggregate_id: AggregateId
    aggregate_type: AggregateType
    version: Version
    state: Document
    created_at: str = field(default_factory=now)
    program: str = ""
    language: str = "agl-1"
    generation: int = 0
    sequence: int = 0
    state_hash: str = ""
    last_time: str = ""
    command_ids: tuple[tuple[str, int], ...] = ()
    floor: str = ""
    other_ids: bool = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "tenant_id", TenantId(self.tenant_id))
        put(self, "aggregate_type", AggregateType(self.aggregate_type))
        put(self, "aggregate_id", AggregateId(self.aggregate_id))
        put(self, "version", Version(self.version))
        put(self, "state", Document.of(self.state))
        put(self, "command_ids", tuple((str(name), int(sequence)) for name, sequence in self.command_ids))

    @property
    def key(self) -> AggregateKey:
        """Which aggregate it is of."""
        return AggregateKey(self.tenant_id, self.aggregate_type, self.aggregate_id)

    def to_dict(self) -> dict[str, Any]:
        """The envelope as JSON values."""
        return {
            "tenant_id": self.tenant_id,
            "aggregate_id": self.aggregate_id,
            "aggregate_type": self.aggregate_type,
            "version": int(self.version),
            "state": self.state.value,
            "created_at": self.created_at,
            "program": self.program,
            "language": self.language,
            "generation": self.generation,
            "sequence": self.sequence,
            "state_hash": self.state_hash,
            "last_time": self.last_time,
            "command_ids": [list(pair) for pair in self.command_ids],
            "floor": self.floor,
            "other_ids": self.other_ids,
        }

    @classmethod
    def from_dict(cls, members: Mapping[str, Any]) -> Self:
        """The envelope that `to_dict` wrote.

        Raises:
            ValidationError: a member is missing or of the wrong form.
        """
        return cls(**known_members(cls, members))

    @classmethod
    def new_test(cls, tenant_id: str = "tenant-a", **members: Any) -> Self:
        """A snapshot for tests: a new account of `tenant-a` at version 5 with balance 100, unless told otherwise."""
        given = {
            "tenant_id": tenant_id,
            "aggregate_type": "Account",
            "aggregate_id": AggregateId.new_v7(),
            "version": 5,
            "state": {"balance": 100},
        }
        return cls(**{**given, **members})

    @classmethod
    def new_test_with_tenant(cls, tenant_id: str, **members: Any) -> Self:
        """A snapshot of `tenant_id` for tests."""
        return cls.new_test(tenant_id, **members)


@dataclass(frozen=True, slots=True)
class AggregateState:
    """An aggregate as it is read: its state and what it is of.

    Attributes:
        state: the state; its value is None for an aggregate that is gone.
        state_hash: sha256 of the canonical state, hex.
        position: of the log up to which the state is known (opaque text).
    """

    tenant_id: TenantId
    aggregate_type: AggregateType
    aggregate_id: AggregateId
    version: Version
    state: Document
    state_hash: str
    position: str
