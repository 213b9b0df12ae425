"""Structured logs: JSON lines by structlog, one for each command, and whatever libraries say through `logging`."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import orjson
import structlog

from aggregate.config.settings import Settings
from aggregate.errors import Overloaded
from aggregate.observability.fields import fields
from aggregate.observability.sink import LineSink
from aggregate.types.record import CommandRecord

EACH = 1.0
"""Seconds between two lines about a tenant that is refused for the same limit: a refusal must cost little, or it protects nobody."""
MOST_HELD = 1000


class CommandLog:
    """The observer that writes a line for each command; of those refused for a limit, one a second for each tenant and limit."""

    def __init__(self, logger: Any = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`logger`: a structlog logger, the configured one where none is given."""
        self._logger = logger if logger is not None else structlog.get_logger("aggregate.command").bind()  # once, not for every line
        self._clock = clock
        self._held: dict[tuple[str, str], tuple[float, int]] = {}

    def observe(self, record: CommandRecord) -> None:
        """Write the line: `info` for what the program decided, `warning` for what went wrong otherwise."""
        if record.code == Overloaded.code:
            self._overloaded(record)
        elif record.outcome == "failed":
            self._logger.warning("command failed", **fields(record))
        elif self._logger.is_enabled_for(logging.INFO):
            self._logger.info(f"command {record.outcome}", **fields(record))

    def _overloaded(self, record: CommandRecord) -> None:
        name, now = (record.tenant_id, record.reason), self._clock()
        until, left_out = self._held.get(name, (0.0, 0))
        if now < until:
            self._held[name] = (until, left_out + 1)
            return
        if len(self._held) >= MOST_HELD:
            self._held.clear()
        self._held[name] = (now + EACH, 0)
        self._logger.warning("command failed", **fields(record), left_out=left_out)


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
