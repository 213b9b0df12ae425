"""`AggregateInstance`: one aggregate as a plain state machine, without a store and without a log.

The same deciding as in the handler, one command at a time and in memory: for tests of programs, for tools, and for embedding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aggregate.errors import ErrorRecord, RehydrationError, TenantAccessDenied, ValidationError
from aggregate.handler.deciding import decide, payload_hash, refusal_error
from aggregate.runtime import State, TypeProgram
from aggregate.stream.codec import events_of
from aggregate.types import (
    AggregateId,
    AggregateKey,
    AggregateType,
    Command,
    CommitMessage,
    Event,
    Snapshot,
    TenantId,
    Version,
)
from aggregate.types.json import canonical, parse
from aggregate.types.time import now


class AggregateInstance:
    """An aggregate of one tenant at a version.

    Args:
        program: decides and applies.
    """

    def __init__(self, key: AggregateKey, program: TypeProgram) -> None:
        self._key = key
        self._program = program
        self._state: State = program.initial_state
        self._version = Version.initial()

    @classmethod
    def new_test_with_tenant(cls, tenant_id: str) -> AggregateInstance:
        """A new account of a tenant, with the lenient bank program of `aggregate.testing`."""
        return cls(AggregateKey(TenantId(tenant_id), AggregateType("Account"), AggregateId.new_v7()), cls.new_test_program())

    @staticmethod
    def new_test_program() -> TypeProgram:
        """The lenient bank program."""
        from aggregate.testing import lenient_program  # noqa: PLC0415 - test machinery is not loaded in a node

        return lenient_program()

    @classmethod
    def rehydrate(
        cls, tenant_id: TenantId, snapshot: Snapshot | None, events: Iterable[Event], program: TypeProgram | None = None
    ) -> AggregateInstance:
        """The aggregate after a snapshot (None: from the start) and the events that follow it.

        `program` None: the lenient bank program of `aggregate.testing`.

        Raises:
            TenantAccessDenied: the snapshot or an event is of another tenant.
            RehydrationError: an event does not follow, or cannot be applied; there is neither a snapshot nor an event.
        """
        events = list(events)
        program = program or cls.new_test_program()
        first = snapshot if snapshot is not None else events[0] if events else None
        if first is None:
            raise RehydrationError("neither a snapshot nor an event says which aggregate this is")
        if first.tenant_id != tenant_id:
            raise TenantAccessDenied(tenant_id)
        instance = cls(AggregateKey(tenant_id, first.aggregate_type, first.aggregate_id), program)
        if snapshot is not None:
            instance._state = program.state(snapshot.state.text)
            instance._version = snapshot.version
        for event in events:
            instance.apply_event(event)
        return instance

    try_rehydrate = rehydrate

    def handle_command(self, command: Command) -> list[Event]:
        """Decide a command, apply its events and return them.

        Raises:
            TenantAccessDenied: the command is of another tenant.
            ValidationError: it is for another aggregate, or its payload is no command.
            Rejected, DecideError, ApplyError, VersionConflict: it is refused; nothing has changed.
        """
        if command.tenant_id != self._key.tenant_id:
            raise TenantAccessDenied(command.tenant_id)
        if (command.aggregate_type, command.aggregate_id) != (self._key.aggregate_type, self._key.aggregate_id):
            raise ValidationError(f"the command is for {command.aggregate_type} {command.aggregate_id}", "aggregate_id")
        decided = decide(self._program, self._key, self._state, int(self._version), command, payload_hash(command), now())
        if decided.commit.refused is not None:
            raise refusal_error(decided.commit.refused, decided.commit.gas)
        self._state = decided.state
        self._version = Version(decided.commit.last_version)
        key = self._key
        message = CommitMessage(
            key.tenant_id, key.aggregate_type, key.aggregate_id, self._program.digest, self._program.generation, (decided.commit,)
        )
        return events_of(message, "")

    def apply_event(self, event: Event) -> None:
        """Apply the event that comes next.

        Raises:
            TenantAccessDenied: it is of another tenant.
            RehydrationError: it is of another aggregate, does not follow, or `apply` fails on it; nothing has changed.
        """
        if event.tenant_id != self._key.tenant_id:
            raise TenantAccessDenied(event.tenant_id)
        if (event.aggregate_type, event.aggregate_id) != (self._key.aggregate_type, self._key.aggregate_id):
            raise RehydrationError(f"the event is of {event.aggregate_type} {event.aggregate_id}")
        if event.version != self._version + 1:
            raise RehydrationError(f"version {int(event.version)} does not follow version {int(self._version)}")
        meta = {"version": int(event.version), "time": event.timestamp, "event_id": event.event_id, "command_id": event.command_id}
        fold = self._program.fold(self._state, [event.payload.text], canonical(meta))
        if fold.error is not None:
            raise RehydrationError(f"event {int(event.version)} cannot be applied: {ErrorRecord.from_json(fold.error)}")
        self._state = fold.state
        self._version = event.version

    def aggregate_id(self) -> AggregateId:
        """Which aggregate."""
        return self._key.aggregate_id

    def aggregate_type(self) -> AggregateType:
        """Of which type."""
        return self._key.aggregate_type

    def tenant_id(self) -> TenantId:
        """Whose."""
        return self._key.tenant_id

    def version(self) -> Version:
        """After how many events."""
        return self._version

    def state(self) -> Any:
        """The state as a Python value (numbers int or Decimal)."""
        return parse(self._state.json())
