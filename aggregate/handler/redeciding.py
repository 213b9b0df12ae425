"""Past decisions made again: what a program makes of a recorded command, beside what stands in the log. Pure, without I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from aggregate.errors import ProgramError, ValidationError
from aggregate.handler.deciding import decide, payload_hash
from aggregate.handler.findings import Difference, Kind
from aggregate.runtime import State, TypeProgram
from aggregate.runtime.programs import FOLD_GAS
from aggregate.types import AggregateKey, Command, Commit, Document, Refusal, Version
from aggregate.types.json import parse

OUT_OF_GAS = "resource/out_of_gas"


def redecide(program: TypeProgram, key: AggregateKey, state: State, stored: Commit, *, exact: bool) -> Commit:
    """The commit that `program` makes of the command of a stored one, on the state before it.

    `exact`: the program is the one that decided. Its limits of gas are not recorded: they are chosen so that they do not matter.

    Raises:
        ValueError: the command was not recorded.
    """
    if stored.command is None:
        raise ValueError("a commit without its command cannot be decided again")
    command = Command(
        tenant_id=key.tenant_id,
        aggregate_type=key.aggregate_type,
        aggregate_id=key.aggregate_id,
        payload=Document(stored.command),
        command_id=stored.command_id,
        metadata=stored.metadata,
        expected_version=_expected(stored),
    )
    if exact:
        program = _unlimited(program, stored)
    try:
        return decide(program, key, state, stored.first_version - 1, command, payload_hash(command), stored.time).commit
    except (ValidationError, ProgramError) as error:
        return replace(stored, events=(), gas=0, refused=Refusal("not_decided", error.code, str(error)))


def differences(stored: Commit, again: Commit, *, exact: bool) -> Iterator[Difference]:
    """What `again` has otherwise than `stored`.

    Not `exact`: gas, and where in the source an error arose, are not looked at; of another program they are another anyway.
    """
    if stored.command is not None and (digest := hashlib.sha256(stored.command).hexdigest()) != stored.payload_hash:
        yield Difference(Kind.COMMAND, stored.payload_hash, digest)
    if (stored.refused is None) != (again.refused is None):
        yield Difference(Kind.REFUSED_NOW if stored.refused is None else Kind.ACCEPTED_NOW, _outcome(stored), _outcome(again))
        return
    if stored.refused is not None and again.refused is not None:
        if _reason(stored.refused, exact=exact) != _reason(again.refused, exact=exact):
            yield Difference(Kind.REFUSAL, _outcome(stored), _outcome(again))
    elif [event.payload for event in stored.events] != [event.payload for event in again.events]:
        yield Difference(Kind.EVENTS, _outcome(stored), _outcome(again))
    elif [event.event_id for event in stored.events] != [event.event_id for event in again.events]:
        yield Difference(Kind.EVENT_IDS, *(" ".join(event.event_id for event in each.events) for each in (stored, again)))
    if exact and stored.gas != again.gas:
        yield Difference(Kind.GAS, str(stored.gas), str(again.gas))


def _expected(stored: Commit) -> Version | None:
    """The version a command asked for. Recorded only where it did not hold; where it held it changes nothing."""
    if stored.refused is None or stored.refused.kind != "version_conflict":
        return None
    return Version(parse(stored.refused.details)["expected"])


def _unlimited(program: TypeProgram, stored: Commit) -> TypeProgram:
    """`program` with limits under which a decision comes out as it did: what did not run out of gas then must not do so now."""
    refused = stored.refused
    if refused is None or refused.code != OUT_OF_GAS:
        return replace(program, gas_decide=FOLD_GAS, gas_apply=FOLD_GAS)
    if refused.kind == "decide_error":  # then the gas it cost was the limit
        return replace(program, gas_decide=stored.gas, gas_apply=FOLD_GAS)
    return program


def _reason(refusal: Refusal, *, exact: bool) -> tuple[str, str, str, bytes]:
    details = refusal.details if exact or refusal.kind == "rejected" else b""
    return refusal.kind, refusal.code, refusal.message, details


def _outcome(commit: Commit) -> str:
    refused = commit.refused
    if refused is None:
        return f"accepted [{','.join(event.payload.decode() for event in commit.events)}]"
    details = "" if refused.details == b"{}" or refused.kind != "rejected" else f" {refused.details.decode()}"
    return f"refused {refused.kind} {refused.code}: {refused.message}{details}"
