"""Spans through the OpenTelemetry API: of a command and its parts, and of what is read, linked to the commands that produced it.

A command's span begins at the gateway (`enter`), so that what is stored carries its id; it ends, with its parts as children, when the
command's record is there (`observe`). A handler that is used without a gateway gets its span after the fact.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aggregate.observability.fields import REQUIRED, fields
from aggregate.types.event import Event
from aggregate.types.record import CommandRecord

MOST_LINKS = 128

_entered: ContextVar[trace.Span | None] = ContextVar("aggregate_command_span", default=None)
"""The span of the command that this task is about: set at the gateway, taken when the record is there."""

_propagator = TraceContextTextMapPropagator()


class CommandSpans:
    """Makes the spans. `observe` is an observer of commands, `enter` and `read` are called by the gateway."""

    def __init__(self, tracer: trace.Tracer | None = None) -> None:
        """`tracer`: the global one where none is given."""
        self._tracer = tracer if tracer is not None else trace.get_tracer("aggregate")

    @staticmethod
    def wanted() -> bool:
        """Whether somebody has set up an SDK, so that spans of the global tracer go anywhere."""
        return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

    def enter(self, metadata: Mapping[str, str]) -> dict[str, str]:
        """Begin a command's span, as a child of the caller's; the metadata with the span's `traceparent` in place of the caller's."""
        span = self._tracer.start_span("command", _context(metadata), trace.SpanKind.SERVER)
        _entered.set(span)
        carried = {name: value for name, value in metadata.items() if name not in {"traceparent", "tracestate"}}
        _propagator.inject(carried, trace.set_span_in_context(span, otel_context.Context()))
        return carried

    def observe(self, record: CommandRecord) -> None:
        """End the command's span, with its parts."""
        end = time.time_ns()
        start = end - round(record.total_seconds * 1e9)
        attributes = fields(record)
        span = _entered.get()
        if span is None:
            parent = _context({"traceparent": record.traceparent})
            span = self._tracer.start_span("command", parent, trace.SpanKind.SERVER, attributes, start_time=start)
        else:
            _entered.set(None)
            span.set_attributes(attributes)
        if record.outcome == "failed":
            span.set_status(trace.Status(trace.StatusCode.ERROR, record.message))
        context = trace.set_span_in_context(span, otel_context.Context())
        known = {name: attributes[name] for name in REQUIRED}
        for name, at, seconds in (
            ("load", record.load_at, record.load_seconds),
            ("execute", record.execute_at, record.execute_seconds),
            ("append", record.append_at, record.append_seconds),
            ("snapshot", record.append_at + record.append_seconds, record.snapshot_seconds),
        ):
            if seconds:
                began = start + round(at * 1e9)
                part = self._tracer.start_span(name, context, trace.SpanKind.INTERNAL, known, start_time=began)
                part.end(began + round(seconds * 1e9))
        span.end(end)

    def read(self, name: str, metadata: Mapping[str, str], tenant_id: str, events: Iterable[Event]) -> None:
        """A span of events handed to a reader, child of the reader's own and linked to the commands that produced them."""
        handed = list(events)
        links = {event.metadata.get("traceparent", ""): link for event in handed if (link := link_to(event)) is not None}
        attributes: dict[str, str | int] = {
            "tenant_id": tenant_id,
            "events": len(handed),
            "position": handed[-1].position if handed else "",
        }
        self._tracer.start_span(name, _context(metadata), trace.SpanKind.SERVER, attributes, list(links.values())[:MOST_LINKS]).end()


def link_to(event: Event) -> trace.Link | None:
    """A link to the span of the command that produced an event; None where it carries none. For a consumer's own spans."""
    producer = trace.get_current_span(_context(event.metadata)).get_span_context()
    return trace.Link(producer, {"command_id": event.command_id}) if producer.is_valid else None


def _context(metadata: Mapping[str, str]) -> otel_context.Context:
    """The trace context that metadata carry, an empty one where they carry none."""
    carrier = {name: metadata[name] for name in ("traceparent", "tracestate") if metadata.get(name)}
    return _propagator.extract(carrier, otel_context.Context())
