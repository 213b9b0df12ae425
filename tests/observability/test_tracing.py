"""One request, followed: metadata, log lines, spans at a collector, NATS headers, the event as a subscriber gets it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aggregate.config import AggregateManifest
from aggregate.config.settings import Settings
from aggregate.gateway.metadata import completed
from aggregate.node import Node
from aggregate.observability.logs import configure_logging
from aggregate.observability.sink import LineSink
from aggregate.observability.tracing import CommandSpans, link_to
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.stream import StreamClient
from aggregate.stream.connection import Connection
from aggregate.testing.lenient import LENIENT_BANK
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateId, AggregateKey, AggregateType, Event, TenantId, new_uuid7
from aggregate.types.record import CommandRecord

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
CORRELATION = "corr-4711"
METADATA = (
    ("x-tenant-id", "acme"),
    ("x-correlation-id", CORRELATION),
    ("traceparent", f"00-{TRACE}-{PARENT}-01"),
    ("tracestate", "vendor=1"),
)


@dataclass
class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP collector that keeps what it gets."""

    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    port: int = 0

    def Export(self, request: Any, context: Any) -> Any:
        for resource in request.resource_spans:
            self.services |= {each.value.string_value for each in resource.resource.attributes if each.key == "service.name"}
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Any:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    found = Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(found, server)
    found.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield found
    server.stop(None).wait()


@pytest.fixture
def lines() -> Any:
    root, own = logging.getLogger(), logging.getLogger("aggregate")
    before = root.handlers, root.level, own.level
    stream = io.BytesIO()
    logs = configure_logging(Settings(log_level="debug"), LineSink(stream))

    def read() -> list[dict[str, Any]]:
        logs.close()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield read
    logs.close()
    root.handlers = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])
    structlog.reset_defaults()


@pytest.fixture
async def nats() -> AsyncIterator[EmbeddedNats]:
    async with EmbeddedNats() as server:
        yield server


async def notices(url: str) -> tuple[Connection, asyncio.Queue[Any]]:
    """Whatever is told of changes from now on."""
    heard: asyncio.Queue[Any] = asyncio.Queue()
    connection = Connection(url)
    await connection.open()
    await connection.subscribe("notify.>", heard.put_nowait)
    await connection.request("$JS.API.INFO")  # now the server has the subscription
    return connection, heard


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


async def test_one_request_can_be_followed_by_its_ids(
    nats: EmbeddedNats, tmp_path: Path, collector: Collector, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    given = Settings(
        nats_url=nats.url,
        storage_path=tmp_path,
        grpc_address="127.0.0.1:0",
        admin_address="127.0.0.1:0",
        otlp_endpoint=f"http://127.0.0.1:{collector.port}",
        service_name="bank",
        snapshot_threshold=1,
        aggregates=AggregateManifest.of_sources({"Account": LENIENT_BANK}),
    )
    node, account, command_id = Node(given), AggregateId.new_v7(), new_uuid7()
    try:
        await node.start()
        await node.wait_until_ready()
        async with grpc.aio.insecure_channel(node.grpc_address) as channel:
            listening, heard = await notices(nats.url)
            request = pb.SubmitCommandRequest(
                command_id=command_id, aggregate_type="Account", aggregate_id=account, payload='{"type":"open_account","initial_balance":0}'
            )
            await pb_grpc.CommandServiceStub(channel).SubmitCommand(request, metadata=METADATA)
            reader = pb_grpc.EventServiceStub(channel).SubscribeEvents(pb.SubscribeEventsRequest(), metadata=METADATA[:1])
            (event,) = (await reader.read()).events
            reader.cancel()
        async with asyncio.timeout(10):
            notice = json.loads((await heard.get()).data)
        await listening.close()
        exemplars = (await node.admin.get("/metrics", Accept="application/openmetrics-text")).text
        stream = await StreamClient.connect([nats.url])
        stored = await stream.last(AggregateKey(TenantId("acme"), AggregateType("Account"), account))
        await stream.close()
    finally:
        await node.stop()  # sends the spans that wait

    (command,) = collector.named("command")
    span_id = command.span_id.hex()
    assert collector.services == {"bank"}
    assert (command.trace_id.hex(), command.parent_span_id.hex(), command.trace_state) == (TRACE, PARENT, "vendor=1")
    told = attributes(command)
    assert (told["aggregate_id"], told["command_id"], told["tenant_id"], told["version"]) == (account, command_id, "acme", 1)
    assert (told["correlation_id"], told["trace_id"]) == (CORRELATION, TRACE)
    for name in ("load", "execute", "append", "snapshot"):
        (part,) = collector.named(name)
        assert (part.trace_id, part.parent_span_id) == (command.trace_id, command.span_id)
        assert command.start_time_unix_nano - 5_000_000 <= part.start_time_unix_nano <= part.end_time_unix_nano
        assert {"aggregate_id", "command_id", "version", "tenant_id"} <= set(attributes(part))

    found = {line["event"]: line for line in lines() if line.get("command_id") == command_id}
    assert set(found) == {"command received", "command accepted"}
    assert all((line["correlation_id"], line["trace_id"]) == (CORRELATION, TRACE) for line in found.values())

    assert stored is not None
    own = f"00-{TRACE}-{span_id}-01"
    assert (stored.headers["traceparent"], stored.headers["x-correlation-id"]) == (own, CORRELATION)
    metadata = json.loads(stored.body)["commits"][0]["metadata"]
    assert metadata == {"correlation_id": CORRELATION, "traceparent": own, "tracestate": "vendor=1"}
    assert dict(event.metadata) == metadata
    assert {name: notice[name] for name in metadata} == metadata
    assert f'trace_id="{TRACE}"' in exemplars

    (delivery,) = collector.named("deliver events")
    (link,) = delivery.links
    assert (link.trace_id, link.span_id) == (command.trace_id, command.span_id)
    assert delivery.trace_id != command.trace_id


def test_without_a_trace_and_a_correlation_id_both_are_made_of_the_command_id_and_unsampled() -> None:
    command_id = new_uuid7()
    made = completed({"note": "x"}, command_id.upper())
    digits = command_id.replace("-", "")
    assert made == {"note": "x", "correlation_id": command_id, "traceparent": f"00-{digits}-{digits[16:]}-00"}
    assert completed({}, command_id) == completed({}, command_id)
    given = {"correlation_id": "c", "traceparent": "t"}
    assert completed(given, command_id) is given
    assert "traceparent" not in completed({}, "00000000-0000-0000-0000-000000000000")


def spans() -> tuple[CommandSpans, InMemorySpanExporter]:
    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return CommandSpans(provider.get_tracer("test")), exporter


async def test_commands_at_once_have_spans_of_their_own() -> None:
    tracer, exporter = spans()

    async def one(number: int) -> str:
        metadata = tracer.enter({"correlation_id": str(number)})
        await asyncio.sleep(0)
        tracer.observe(CommandRecord("acme", "Account", "a", str(number), traceparent=metadata["traceparent"]))
        return metadata["traceparent"]

    carried = await asyncio.gather(*(one(number) for number in range(20)))
    ended = {str(span.attributes["command_id"]): span.context for span in exporter.get_finished_spans() if span.attributes is not None}
    for number, traceparent in enumerate(carried):
        context = ended[str(number)]
        assert context is not None
        assert traceparent.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-0")


def test_an_event_links_to_the_command_that_produced_it() -> None:
    event = Event.new_test(metadata={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    link = link_to(event)
    assert link is not None
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, PARENT)
    assert link_to(Event.new_test()) is None
