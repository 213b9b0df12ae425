"""A command record as named fields: the same names in log lines and spans."""

from __future__ import annotations

from typing import Any

from aggregate.types.record import CommandRecord

REQUIRED = ("tenant_id", "aggregate_type", "aggregate_id", "command_id", "version", "correlation_id", "trace_id")


def fields(record: CommandRecord) -> dict[str, Any]:
    """What is told of a command; times in milliseconds. A duplicate, retries and a cold start are told where they happened."""
    told: dict[str, Any] = {
        "tenant_id": record.tenant_id,
        "aggregate_type": record.aggregate_type,
        "aggregate_id": record.aggregate_id,
        "command_id": record.command_id,
        "version": record.version,
        "correlation_id": record.correlation_id,
        "trace_id": record.trace_id,
        "outcome": record.outcome,
        "events": record.events,
        "gas": record.gas,
    }
    if record.code:
        told |= {"code": record.code, "reason": record.reason, "error": record.message}
    if record.duplicate:
        told["duplicate"] = True
    if record.retries:
        told["retries"] = record.retries
    if record.cold:
        told["cold"] = True
    told["total_ms"] = round(record.total_seconds * 1000, 3)
    if record.load_seconds:
        told["load_ms"] = round(record.load_seconds * 1000, 3)
    if record.execute_seconds:
        told["execute_ms"] = round(record.execute_seconds * 1000, 3)
    if record.append_seconds:
        told["append_ms"] = round(record.append_seconds * 1000, 3)
    return told
