"""Log lines and spans: the same fields, and nothing that waits."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import MagicMock

import pytest
import structlog
from opentelemetry import trace

from aggregate.config.settings import Settings
from aggregate.observability.fields import REQUIRED, fields
from aggregate.observability.logs import CommandLog, configure_logging
from aggregate.observability.sink import LineSink
from aggregate.observability.tracing import CommandSpans
from aggregate.types.record import CommandRecord

TRACE = "0af7651916cd43dd8448eb211c80319c"
RECORD = CommandRecord(
    "acme",
    "Account",
    "0190b3f0-7c1e-7cc3-a5a0-0123456789ab",
    "0190b3f0-7c1e-7cc3-a5a0-0123456789ac",
    version=4,
    events=1,
    gas=30,
    total_seconds=0.0123,
    correlation_id="corr-1",
    trace_id=TRACE,
    traceparent=f"00-{TRACE}-b7ad6b7169203331-01",
)
FAILED = CommandRecord("acme", "Account", "a", "c", outcome="failed", code="storage", reason="storage", message="disk\nfull", retries=2)


@pytest.fixture
def logged() -> Iterator[Any]:
    """The lines written since, as JSON; logging is as before afterwards."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.BytesIO()
    sink = configure_logging(Settings(node_id="n1", service_name="svc", environment="test"), LineSink(stream))

    def lines() -> list[dict[str, Any]]:
        sink.close()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield lines
    sink.close()
    root.handlers, root.level = before, level
    structlog.reset_defaults()


def test_a_command_is_one_line_with_every_field(logged: Any) -> None:
    CommandLog().observe(RECORD)
    (line,) = logged()
    assert line["event"] == "command accepted"
    assert line["level"] == "info"
    assert {"service": "svc", "environment": "test", "node": "n1"}.items() <= line.items()
    assert line["trace_id"] == TRACE
    assert line["total_ms"] == 12.3
    assert {name: line[name] for name in REQUIRED} == {name: getattr(RECORD, name) for name in REQUIRED}
    assert line["time"].endswith("Z")


def test_what_went_wrong_is_a_warning_with_its_words_on_one_line(logged: Any) -> None:
    CommandLog().observe(FAILED)
    (line,) = logged()
    assert (line["event"], line["level"], line["code"], line["error"], line["retries"]) == (
        "command failed",
        "warning",
        "storage",
        "disk\nfull",
        2,
    )


def test_a_flood_of_refusals_is_a_line_a_second_for_each_tenant_and_limit(logged: Any) -> None:
    now = [100.0]
    log = CommandLog(clock=lambda: now[0])
    over = replace(FAILED, code="overloaded", reason="quota_commands")
    for _ in range(500):
        log.observe(over)
    log.observe(replace(over, tenant_id="other"))
    log.observe(replace(over, reason="quota_gas"))
    now[0] += 1
    log.observe(over)
    log.observe(over)
    now[0] += 1
    log.observe(over)
    assert [(line["tenant_id"], line["reason"], line["left_out"]) for line in logged()] == [
        ("acme", "quota_commands", 0),
        ("other", "quota_commands", 0),
        ("acme", "quota_gas", 0),
        ("acme", "quota_commands", 499),
        ("acme", "quota_commands", 1),
    ]


def test_libraries_speak_in_the_same_form(logged: Any) -> None:
    logging.getLogger("nats").warning("lost %s", "connection")
    logging.getLogger("nats").info("not told")
    (line,) = logged()
    assert (line["event"], line["level"]) == ("lost connection", "warning")


def test_a_reader_that_does_not_read_holds_nobody_up() -> None:
    read_end, write_end = os.pipe()
    sink = LineSink(os.fdopen(write_end, "wb", buffering=0), most=10)
    try:
        for _ in range(5000):  # far more than a pipe and the queue take
            sink.put(b"x" * 1000)
        assert sink.dropped > 0
    finally:
        os.close(read_end)
        sink.close()


def test_lines_of_many_threads_stay_whole() -> None:
    stream = io.BytesIO()
    sink = LineSink(stream)
    threads = [threading.Thread(target=lambda n=n: [sink.put(b"%d" % n * 50) for _ in range(200)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 800
    assert all(len(line) == 50 and len(set(line)) == 1 for line in lines)


def test_a_span_has_the_fields_the_times_and_the_parent() -> None:
    tracer = MagicMock()
    CommandSpans(tracer).observe(RECORD)
    (name, parent, kind, attributes), started = tracer.start_span.call_args
    assert (name, kind) == ("command", trace.SpanKind.SERVER)
    assert set(REQUIRED) <= set(attributes)
    assert trace.get_current_span(parent).get_span_context().trace_id == int(TRACE, 16)
    span = tracer.start_span.return_value
    ((end,), _) = span.end.call_args
    assert end - started["start_time"] == 12_300_000
    span.set_status.assert_not_called()


def test_a_failed_command_s_span_says_so_and_has_no_parent_of_its_own_making() -> None:
    tracer = MagicMock()
    CommandSpans(tracer).observe(FAILED)
    assert not trace.get_current_span(tracer.start_span.call_args[0][1]).get_span_context().is_valid
    (status,) = tracer.start_span.return_value.set_status.call_args[0]
    assert status.status_code is trace.StatusCode.ERROR


def test_fields_tell_what_is_out_of_the_ordinary_only_where_it_happened() -> None:
    assert not {"duplicate", "retries", "cold", "code", "load_ms"} & set(fields(RECORD))
    assert fields(FAILED)["retries"] == 2
