"""Spans to a collector over OTLP/gRPC (extra `otel`)."""

from __future__ import annotations

from collections.abc import Callable

from aggregate._version import __version__
from aggregate.config.settings import Settings
from aggregate.errors import ConfigError, Mistake
from aggregate.observability.tracing import CommandSpans


def spans_of(settings: Settings) -> tuple[CommandSpans | None, Callable[[], None]]:
    """What makes spans, None where nobody wants them, and what sends those that wait and ends the exporter (it blocks for a moment).

    Spans go to OTLP_ENDPOINT, else to the global tracer provider, where whoever runs the node in a process of his own has set one.
    The standard variables `OTEL_EXPORTER_OTLP_*`, `OTEL_TRACES_SAMPLER` and `OTEL_BSP_*` hold too.

    Raises:
        ConfigError: OTLP_ENDPOINT is set, but the extra is not installed.
    """
    if not settings.otlp_endpoint:
        return (CommandSpans() if CommandSpans.wanted() else None), lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        what = f"{error.name} is not installed: install cloudlysis-aggregate[otel]"
        raise ConfigError([Mistake("otlp_endpoint", what)]) from error
    names = {
        "service.name": settings.service_name,
        "service.version": __version__,
        "service.instance.id": settings.node_name,
        "deployment.environment.name": settings.environment,
    }
    provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint, insecure=settings.otlp_endpoint.startswith("http://"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return CommandSpans(provider.get_tracer("aggregate", __version__)), provider.shutdown
