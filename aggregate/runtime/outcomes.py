"""From what an engine answers to what is raised."""

from __future__ import annotations

import json

from aggregate.errors import ApplyError, DecideError, ErrorRecord, Rejected
from aggregate.types.json import canonical, parse


def rejected(rejection: bytes, gas: int) -> Rejected:
    """The program's refusal, from its canonical JSON `{"code","details","message"}`."""
    members = parse(rejection, "rejection")
    return Rejected(members["code"], members["message"], canonical(members["details"]), gas)


def failed(record: bytes, phase: str) -> DecideError | ApplyError:
    """The error of a program that failed in `phase` (`decide` or `apply`), from the engine's record."""
    read = ErrorRecord.from_json(record)
    return ApplyError(read) if phase == "apply" else DecideError(read)


def record_of_execute(record: bytes, gas_before: int) -> bytes:
    """A fold's error record as `execute` gives it: without index and state, with what was spent before the fold."""
    members = json.loads(record)
    kept = {name: members[name] for name in ErrorRecord.__slots__}
    kept["gas_used"] += gas_before
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
