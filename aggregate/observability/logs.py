"""Structured logs: JSON lines by structlog, one for each command, and whatever libraries say through `logging`."""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog

from aggregate.config.settings import Settings
from aggregate.observability.fields import fields
from aggregate.observability.sink import LineSink
from aggregate.types.record import CommandRecord


class CommandLog:
    """The observer that writes a line for each command."""

    def __init__(self, logger: Any = None) -> None:
        """`logger`: a structlog logger, the configured one where none is given."""
        self._logger = logger if logger is not None else structlog.get_logger("aggregate.command")

    def observe(self, record: CommandRecord) -> None:
        """Write the line: `info` for what the program decided, `warning` for what went wrong otherwise."""
        if record.outcome == "failed":
            self._logger.warning("command failed", **fields(record))
        elif self._logger.is_enabled_for(logging.INFO):
            self._logger.info(f"command {record.outcome}", **fields(record))


class _SinkLogger:
    """What structlog's processors end in: a line for the sink."""

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink

    def msg(self, line: bytes) -> None:
        self._sink.put(line)

    log = debug = info = warning = error = critical = exception = fatal = msg


class _LibraryHandler(logging.Handler):
    """Lines of libraries that use `logging`, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(min(record.levelno, logging.CRITICAL), record.getMessage(), exc_info=record.exc_info)


def configure_logging(settings: Settings, sink: LineSink | None = None) -> LineSink:
    """Let structlog and `logging` of this process write JSON lines into `sink` (standard error); returns it, to be closed at the end."""
    sink = sink if sink is not None else LineSink(sys.stderr.buffer)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    constant = {"service": settings.service_name, "environment": settings.environment, "node": settings.node_name}

    def add_constant(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**event, **constant}

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            add_constant,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _SinkLogger(sink),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_LibraryHandler()]
    root.setLevel(max(level, logging.WARNING))  # libraries are heard when something is wrong
    logging.getLogger("aggregate").setLevel(level)
    return sink
