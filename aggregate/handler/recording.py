"""From a finished command to the record that observers get."""

from __future__ import annotations

import time

from aggregate.errors import AggregateError, Rejected
from aggregate.handler.pending import Pending
from aggregate.types import Command, Receipt
from aggregate.types.record import CommandRecord


class CallerGone(AggregateError):
    """What a command is recorded as whose caller went away before the answer. Nobody is told it."""

    code = "cancelled"
    status = "CANCELLED"

    def __init__(self) -> None:
        super().__init__("the caller went away before the answer; the log knows what became of the command")


def received(command: Command) -> dict[str, str]:
    """What is told of a command that has just come in."""
    return {
        "tenant_id": command.tenant_id,
        "aggregate_type": command.aggregate_type,
        "aggregate_id": command.aggregate_id,
        "command_id": command.command_id,
        "correlation_id": command.metadata.get("correlation_id", ""),
        "trace_id": command.metadata.get("traceparent", "")[3:35],
    }


def record_of(
    command: Command, pending: Pending | None, started: float, receipt: Receipt | None, error: AggregateError | None
) -> CommandRecord:
    """The record of a command that was answered with a receipt or an error; `started` is of `time.perf_counter()`."""
    traceparent = command.metadata.get("traceparent", "")
    return CommandRecord(
        tenant_id=command.tenant_id,
        aggregate_type=command.aggregate_type,
        aggregate_id=command.aggregate_id,
        command_id=command.command_id,
        version=0 if receipt is None else int(receipt.version),
        position="" if receipt is None else receipt.position,
        outcome="accepted" if error is None else "rejected" if isinstance(error, Rejected) else "failed",
        code="" if error is None else error.code,
        reason="" if error is None else error.reason,
        message="" if error is None else str(error),
        gas=0 if pending is None else pending.gas,
        events=0 if receipt is None else len(receipt.events),
        duplicate=receipt is not None and receipt.duplicate,
        retries=0 if pending is None else pending.retries,
        cold=pending is not None and pending.cold,
        total_seconds=time.perf_counter() - started,
        load_seconds=0.0 if pending is None else pending.load_seconds,
        execute_seconds=0.0 if pending is None else pending.execute_seconds,
        append_seconds=0.0 if pending is None else pending.append_seconds,
        snapshot_seconds=0.0 if pending is None else pending.snapshot_seconds,
        load_at=0.0 if pending is None or not pending.load_at else pending.load_at - started,
        execute_at=0.0 if pending is None or not pending.execute_at else pending.execute_at - started,
        append_at=0.0 if pending is None or not pending.append_at else pending.append_at - started,
        correlation_id=command.metadata.get("correlation_id", ""),
        trace_id=traceparent[3:35],
        traceparent=traceparent,
        tracestate=command.metadata.get("tracestate", ""),
        payload=command.payload.text,
    )
