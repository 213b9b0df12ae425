"""Where lines go: whole, in order, never holding anybody up, and over a Unix socket whose reader comes and goes."""

from __future__ import annotations

import io
import json
import logging
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from aggregate.config.settings import Settings
from aggregate.observability.logs import CommandLog, Logs, configure_logging
from aggregate.observability.sink import LineSink, SocketSink
from aggregate.types.record import CommandRecord


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="agg-") as folder:  # a socket's path is short
        yield Path(folder) / "log.sock"


class Reader:
    """A logger that listens on a Unix socket."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.settimeout(20)
        self._server.bind(str(path))
        self._server.listen()
        self._connection: socket.socket | None = None
        self._rest = b""

    def lines(self, number: int) -> list[bytes]:
        """The next ones, waited for."""
        if self._connection is None:
            self._connection, _ = self._server.accept()
            self._connection.settimeout(20)
        while self._rest.count(b"\n") < number:
            got = self._connection.recv(65536)
            assert got, "the connection ended"
            self._rest += got
        *found, self._rest = self._rest.split(b"\n", number)
        return found

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._server.close()


def test_lines_come_over_the_socket_whole_and_in_order(path: Path) -> None:
    reader = Reader(path)
    sink = SocketSink(path)
    sent = [b"%d" % number + b"x" * (number % 3000) for number in range(2000)]
    for line in sent:
        sink.put(line)
    assert reader.lines(2000) == sent
    assert sink.connected
    sink.close()
    assert sink.dropped == 0
    reader.close()


def test_what_was_said_before_somebody_listened_is_heard(path: Path) -> None:
    sink = SocketSink(path)
    sink.put(b"early")
    reader = Reader(path)
    assert reader.lines(1) == [b"early"]
    sink.close()
    reader.close()


def test_a_reader_that_goes_and_comes_back_is_found_again(path: Path) -> None:
    first = Reader(path)
    sink = SocketSink(path)
    sink.put(b"one")
    assert first.lines(1) == [b"one"]
    first.close()
    second = Reader(path)
    stop = threading.Event()

    def talk() -> None:
        number = 0
        while not stop.wait(0.005):
            sink.put(b"line %d" % number)
            number += 1

    talking = threading.Thread(target=talk)
    talking.start()
    (line, following) = second.lines(2)
    stop.set()
    talking.join()
    assert line.startswith(b"line ")
    assert int(following.split()[1]) == int(line.split()[1]) + 1
    sink.close()
    second.close()


def test_nobody_there_costs_lines_that_are_counted_and_no_time(path: Path) -> None:
    sink = SocketSink(path, most=100)
    for _ in range(1000):
        sink.put(b"x")
    assert sink.dropped == 900
    sink.close(timeout=10)
    assert sink.dropped == 1000


def test_a_reader_that_does_not_read_costs_lines_and_no_time(path: Path) -> None:
    reader = Reader(path)
    sink = SocketSink(path, most=50)
    for _ in range(5000):
        sink.put(b"x" * 2000)
    assert sink.dropped > 0
    sink.close(timeout=10)
    reader.close()


def test_a_sink_that_is_held_writes_when_it_is_let_go_or_closed() -> None:
    for end in ("release", "close"):
        stream = io.BytesIO()
        sink = LineSink(stream, held=True)
        sink.put(b"later")
        assert stream.getvalue() == b""
        if end == "release":
            sink.release()
        sink.close()
        assert stream.getvalue() == b"later\n"


@pytest.fixture
def both(path: Path) -> Iterator[tuple[Logs, io.BytesIO, Reader]]:
    root = logging.getLogger()
    before, level, own = root.handlers, root.level, logging.getLogger("aggregate").level
    reader, stream = Reader(path), io.BytesIO()
    settings = Settings(logger_socket=path, service_name="svc", environment="test", node_id="n1", log_level="debug")
    logs = configure_logging(settings, LineSink(stream))
    yield logs, stream, reader
    logs.close()
    reader.close()
    root.handlers, root.level = before, level
    logging.getLogger("aggregate").setLevel(own)
    structlog.reset_defaults()


def test_the_same_lines_go_to_the_stream_and_to_the_socket(both: tuple[Logs, io.BytesIO, Reader]) -> None:
    logs, stream, reader = both
    CommandLog().observe(CommandRecord("acme", "Account", "a", "c", payload=b'{"secret":1}'))
    logging.getLogger("aggregate.handler").debug("command received", extra={"fields": {"tenant_id": "acme"}})
    heard = [json.loads(line) for line in reader.lines(2)]
    logs.close()
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == heard
    assert {"service": "svc", "environment": "test", "node": "n1", "event": "command accepted"}.items() <= heard[0].items()
    assert {"event": "command received", "tenant_id": "acme", "logger": "aggregate.handler"}.items() <= heard[1].items()
    assert "secret" not in stream.getvalue().decode()
    assert logs.dropped() == {"stream": 0, "socket": 0}


def test_payloads_are_told_where_the_settings_ask_for_them(both: tuple[Logs, io.BytesIO, Reader]) -> None:
    CommandLog(payloads=True).observe(CommandRecord("acme", "Account", "a", "c", payload=b'{"amount":1.50}'))
    (line,) = both[2].lines(1)
    assert json.loads(line)["payload"] == '{"amount":1.50}'
