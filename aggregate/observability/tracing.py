"""A span for each command, through the OpenTelemetry API: without an SDK installed and configured it costs next to nothing."""

from __future__ import annotations

import time

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aggregate.observability.fields import fields
from aggregate.types.record import CommandRecord


class CommandSpans:
    """The observer that makes the span, after the fact and with the command's own times, as a child of the caller's."""

    def __init__(self, tracer: trace.Tracer | None = None) -> None:
        self._tracer = tracer if tracer is not None else trace.get_tracer("aggregate")
        self._propagator = TraceContextTextMapPropagator()

    @staticmethod
    def wanted() -> bool:
        """Whether somebody has set up an SDK, so that spans go anywhere."""
        return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

    def observe(self, record: CommandRecord) -> None:
        """Make the span."""
        parent = self._propagator.extract({"traceparent": record.traceparent}) if record.traceparent else None
        end = time.time_ns()
        start = end - round(record.total_seconds * 1e9)
        span = self._tracer.start_span("command", parent, trace.SpanKind.SERVER, fields(record), start_time=start)
        if record.outcome == "failed":
            span.set_status(trace.Status(trace.StatusCode.ERROR, record.message))
        span.end(end)
