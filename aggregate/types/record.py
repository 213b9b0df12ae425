"""`CommandRecord`: what became of one command, for those who watch. Made once, after the reply is known; hooks only read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """One finished command.

    Attributes:
        version: of the aggregate after the command, 0 where it is not known.
        position: of the command in the log, "" where it was not accepted.
        outcome: `accepted`, `rejected` (the program said no) or `failed`.
        code: the error's class code (`rejected`, `version_conflict`, ...), "" where it was accepted. One of a fixed list: fit for a label.
        reason: what the caller was told: a program's own code or the error's; "" where it was accepted. Not fit for a label.
        message: the error's words, "" where it was accepted.
        gas: what deciding and applying cost.
        events: how many events came of it.
        duplicate: it had been decided before; the original outcome was answered.
        retries: decisions made again because somebody else had written first; each was a version conflict.
        cold: the aggregate was not in the cache: it was loaded from snapshot and log.
        total_seconds: from entry to answer, waiting included.
        load_seconds: reading the aggregate (0.0 for a warm one).
        execute_seconds: deciding and applying.
        append_seconds: waiting for the log.
        snapshot_seconds: handing a snapshot to the store (0.0: none was due).
        load_at, execute_at, append_at: seconds from entry to when it last began.
        correlation_id: the caller's, "" without one.
        trace_id: 32 hex digits out of `traceparent`, "" without one.
        traceparent, tracestate: the command's, "" without one.
        payload: the command's, canonical JSON; not to be told to anybody unless the settings ask for it.
    """

    tenant_id: str
    aggregate_type: str
    aggregate_id: str
    command_id: str
    version: int = 0
    position: str = ""
    outcome: str = "accepted"
    code: str = ""
    reason: str = ""
    message: str = ""
    gas: int = 0
    events: int = 0
    duplicate: bool = False
    retries: int = 0
    cold: bool = False
    total_seconds: float = 0.0
    load_seconds: float = 0.0
    execute_seconds: float = 0.0
    append_seconds: float = 0.0
    snapshot_seconds: float = 0.0
    load_at: float = 0.0
    execute_at: float = 0.0
    append_at: float = 0.0
    correlation_id: str = ""
    trace_id: str = ""
    traceparent: str = ""
    tracestate: str = ""
    payload: bytes = b""

    @property
    def sampled(self) -> bool:
        """Whether somebody keeps the trace: the flag of a W3C `traceparent`."""
        return self.traceparent[54:55] in tuple("13579bdf")


Observer = Callable[[CommandRecord], None]
"""A hook: gets each record on the node's event loop, must not block; what it raises is its own bug and never reaches a caller."""
