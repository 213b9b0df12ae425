"""What a program makes of a command on a state: a commit, pure and without I/O."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from aggregate.errors import (
    ApplyError,
    DecideError,
    ErrorRecord,
    ProgramError,
    Rejected,
    ValidationError,
    VersionConflict,
)
from aggregate.runtime import Decision, State, TypeProgram
from aggregate.types import AggregateKey, Command, Commit, CommittedEvent, Refusal
from aggregate.types.json import canonical, parse


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision: the commit that says so, and the state after it (unchanged where it was refused)."""

    commit: Commit
    state: State


def payload_hash(command: Command) -> str:
    """sha256 of the canonical payload, hex: tells a retry from another command under the same id."""
    return hashlib.sha256(command.payload.text).hexdigest()


def decide(program: TypeProgram, key: AggregateKey, state: State, version: int, command: Command, digest: str, time: str) -> Decided:
    """Decide one command on a state. `digest` is its `payload_hash`, `time` the commit's.

    Raises:
        ValidationError: the payload is no command, whatever the state.
        ProgramError: the engine itself failed (`internal`), which says nothing about the command.
    """
    if command.expected_version is not None and int(command.expected_version) != version:
        conflict = VersionConflict(command.expected_version, version)
        details = canonical({"expected": int(conflict.expected), "actual": version})
        return _refused(
            program, command, digest, version, time, 0, Refusal("version_conflict", conflict.code, str(conflict), details), state
        )
    ctx = context(key, version, command, time) if program.needs_ctx else None
    decision = program.execute(state, command.payload.text, ctx)
    if decision.error is not None:
        return _refused(program, command, digest, version, time, decision.gas, _fault(decision, decision.error), state)
    if decision.rejection is not None:
        return _refused(program, command, digest, version, time, decision.gas, _rejection(decision.rejection), state)
    events = tuple(
        CommittedEvent(program.engine.event_id(key.tenant_id, key.aggregate_id, command.command_id, time, index), payload, kind)
        for index, (payload, kind) in enumerate(zip(decision.events, decision.types, strict=True))
    )
    commit = Commit(
        command_id=command.command_id,
        first_version=version + 1,
        time=time,
        gas=decision.gas,
        payload_hash=digest,
        command=command.payload.text if program.definition.record_commands else None,
        metadata=command.metadata,
        events=events,
    )
    return Decided(commit, decision.state if decision.state is not None else state)


def context(key: AggregateKey, version: int, command: Command, time: str) -> bytes:
    """The `ctx` of a decision, canonical JSON."""
    return canonical(
        {
            "tenant_id": key.tenant_id,
            "aggregate_type": key.aggregate_type,
            "aggregate_id": key.aggregate_id,
            "version": version,
            "command_id": command.command_id,
            "time": time,
            "metadata": dict(command.metadata),
        }
    )


def refusal_error(refusal: Refusal, gas: int) -> Rejected | DecideError | ApplyError | VersionConflict:
    """The error that a refusal is told as."""
    if refusal.kind == "rejected":
        return Rejected(refusal.code, refusal.message, refusal.details, gas)
    if refusal.kind == "version_conflict":
        versions = parse(refusal.details)
        return VersionConflict(versions["expected"], versions["actual"])
    record = ErrorRecord.from_json(refusal.details)
    return ApplyError(record) if refusal.kind == "apply_error" else DecideError(record)


def _refused(
    program: TypeProgram, command: Command, digest: str, version: int, time: str, gas: int, refusal: Refusal, state: State
) -> Decided:
    payload = command.payload.text if program.definition.record_commands else None
    return Decided(Commit(command.command_id, version + 1, time, gas, digest, payload, command.metadata, (), refusal), state)


def _rejection(rejection: bytes) -> Refusal:
    members = parse(rejection)
    return Refusal("rejected", members["code"], members["message"], canonical(members["details"]))


def _fault(decision: Decision, error: bytes) -> Refusal:
    record = ErrorRecord.from_json(error)
    if record.kind == "contract" and record.code == "bad_input" and decision.phase == "decide":
        raise ValidationError(record.message, "payload")
    if record.kind == "internal":
        raise ProgramError(record)
    kind = "apply_error" if decision.phase == "apply" else "decide_error"
    return Refusal(kind, f"{record.kind}/{record.code}", record.message, canonical(parse(error)))
