"""A command record as named fields: the same names in log lines and spans."""

from __future__ import annotations

from typing import Any

from aggregate.types.record import CommandRecord

REQUIRED = ("tenant_id", "aggregate_type", "aggregate_id", "command_id", "version", "correlation_id", "trace_id")


def fields(record: CommandRecord) -> dict[str, Any]:
    """What is told of a command; times in milliseconds. A duplicate, retries and a cold start are told where they happened."""
    told: dict[str, Any] = {name: getattr(record, name) for name in REQUIRED}
    told |= {"outcome": record.outcome, "events": record.events, "gas": record.gas}
    if record.code:
        told |= {"code": record.code, "reason": record.reason, "error": record.message}
    for name in ("duplicate", "retries", "cold"):
        if getattr(record, name):
            told[name] = getattr(record, name)
    for name in ("total", "load", "execute", "append"):
        seconds = getattr(record, f"{name}_seconds")
        if seconds or name == "total":
            told[f"{name}_ms"] = round(seconds * 1000, 3)
    return told
