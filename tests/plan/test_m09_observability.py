"""Plan milestone 9: observability."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest
import structlog

from aggregate.config import Settings
from aggregate.handler import AggregateHandler
from aggregate.observability.logs import CommandLog, configure_logging
from aggregate.observability.sink import LineSink
from aggregate.observability.tracing import CommandSpans
from aggregate.testing import Environment
from aggregate.types import Command
from aggregate.types.record import CommandRecord

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(autouse=True)
async def _environment() -> AsyncIterator[None]:
    async with Environment():
        yield


@pytest.fixture
def lines() -> Iterator[Any]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.BytesIO()
    sink = configure_logging(Settings(service_name="aggregate", environment="test"), LineSink(stream))

    def read() -> list[dict[str, Any]]:
        sink.close()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield read
    sink.close()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


async def test_t9_1_metrics_recorded() -> None:
    handler = await AggregateHandler.new_test_with_metrics()
    command = Command.new_test_deposit_with_tenant("tenant-a", 100)
    await handler.handle_command(command)
    metrics = handler.metrics_export()
    assert "aggregate_commands_total" in metrics
    assert 'aggregate_commands_total{aggregate_type="Account",tenant_id="tenant-a"} 1.0' in metrics
    assert 'aggregate_command_duration_seconds_count{aggregate_type="Account",tenant_id="tenant-a"} 1.0' in metrics
    assert 'aggregate_rehydration_duration_seconds_count{aggregate_type="Account"} 1.0' in metrics
    await handler.handle_command(command)
    assert 'aggregate_events_total{aggregate_type="Account",tenant_id="tenant-a"} 1.0' in handler.metrics_export()
    assert 'aggregate_duplicate_commands_total{aggregate_type="Account",tenant_id="tenant-a"} 1.0' in handler.metrics_export()


async def test_t9_2_spans_include_fields() -> None:
    tracer = MagicMock()
    handler = await AggregateHandler.new_test(observers=(CommandSpans(tracer).observe,))
    metadata = {"correlation_id": "corr-1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    command = Command.new_test_deposit_with_tenant("tenant-a", 100, metadata=metadata)
    await handler.handle_command(command)
    attributes = tracer.start_span.call_args_list[0][0][3]
    assert [call[0][0] for call in tracer.start_span.call_args_list] == ["command", "load", "execute", "append", "snapshot"]
    assert attributes["tenant_id"] == "tenant-a"
    assert attributes["aggregate_id"] == command.aggregate_id
    assert attributes["command_id"] == command.command_id
    assert attributes["version"] == 1
    assert (attributes["correlation_id"], attributes["trace_id"]) == ("corr-1", TRACE)


async def test_t9_3_logger_initializes(lines: Any) -> None:
    handler = await AggregateHandler.new_test(observers=(CommandLog().observe,))
    command = Command.new_test_deposit_with_tenant("tenant-a", 100)
    await handler.handle_command(command)
    (line,) = [line for line in lines() if line["event"] == "command accepted"]
    assert (line["service"], line["environment"]) == ("aggregate", "test")
    assert (line["tenant_id"], line["aggregate_id"], line["command_id"], line["version"]) == (
        "tenant-a",
        command.aggregate_id,
        command.command_id,
        1,
    )


async def test_t9_an_observer_that_fails_harms_nobody() -> None:
    seen: list[CommandRecord] = []

    def broken(_: CommandRecord) -> None:
        raise RuntimeError("a bug of the observer")

    handler = await AggregateHandler.new_test(observers=(broken, seen.append))
    events = await handler.handle_command(Command.new_test_deposit_with_tenant("tenant-a", 100))
    assert len(events) == 1
    assert [record.outcome for record in seen] == ["accepted"]
