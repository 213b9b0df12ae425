"""Structured logs: JSON lines by structlog, one for each command, and whatever libraries say through `logging`.

They go to a stream, and to the Unix socket of LOGGER_SOCKET where one is set. The same lines to both, made once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import structlog

from aggregate.config.settings import Settings
from aggregate.errors import Overloaded
from aggregate.observability.fields import fields
from aggregate.observability.sink import LineSink, SocketSink, descriptor
from aggregate.types.record import CommandRecord

EACH = 1.0
"""Seconds between two lines about a tenant that is refused for the same limit: a refusal must cost little, or it protects nobody."""
MOST_HELD = 1000


class CommandLog:
    """The observer that writes a line for each command; of those refused for a limit, one a second for each tenant and limit."""

    def __init__(self, logger: Any = None, clock: Callable[[], float] = time.monotonic, *, payloads: bool = False) -> None:
        """`logger`: a structlog logger, the configured one where none is given. `payloads`: lines hold the commands' payloads too."""
        self._logger = logger if logger is not None else structlog.get_logger("aggregate.command").bind()  # once, not for every line
        self._clock = clock
        self._payloads = payloads
        self._held: dict[tuple[str, str], tuple[float, int]] = {}

    def observe(self, record: CommandRecord) -> None:
        """Write the line: `info` for what the program decided, `warning` for what went wrong otherwise."""
        if record.code == Overloaded.code:
            self._overloaded(record)
        elif record.outcome == "failed":
            self._logger.warning("command failed", **self._told(record))
        elif self._logger.is_enabled_for(logging.INFO):
            self._logger.info(f"command {record.outcome}", **self._told(record))

    def _told(self, record: CommandRecord) -> dict[str, Any]:
        told = fields(record)
        if self._payloads:
            told["payload"] = record.payload.decode()
        return told

    def _overloaded(self, record: CommandRecord) -> None:
        name, now = (record.tenant_id, record.reason), self._clock()
        until, left_out = self._held.get(name, (0.0, 0))
        if now < until:
            self._held[name] = (until, left_out + 1)
            return
        if len(self._held) >= MOST_HELD:
            self._held.clear()
        self._held[name] = (now + EACH, 0)
        self._logger.warning("command failed", **self._told(record), left_out=left_out)


class Logs:
    """The sinks of this process's lines; to be closed at the end."""

    def __init__(self, sinks: dict[str, LineSink]) -> None:
        self._sinks = sinks

    def dropped(self) -> dict[str, int]:
        """Lines that were dropped, by sink."""
        return {name: sink.dropped for name, sink in self._sinks.items()}

    def release(self) -> None:
        """Write from now on, where it was held."""
        for sink in self._sinks.values():
            sink.release()

    def close(self) -> None:
        """Write what is waiting and take no more."""
        for sink in self._sinks.values():
            sink.close()


class _SinkLogger:
    """What structlog's processors end in: a line for the sinks."""

    def __init__(self, sinks: Sequence[LineSink]) -> None:
        self._sinks = sinks

    def msg(self, line: bytes) -> None:
        for sink in self._sinks:
            sink.put(line)

    log = debug = info = warning = error = critical = exception = fatal = msg


class _LibraryHandler(logging.Handler):
    """Lines of whoever uses `logging`, in the same form; `extra={"fields": ...}` gives them fields."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(
            min(record.levelno, logging.CRITICAL),
            record.getMessage(),
            logger=record.name,
            exc_info=record.exc_info,
            **getattr(record, "fields", {}),
        )


def configure_logging(settings: Settings, stream: LineSink | None = None) -> Logs:
    """Let structlog and `logging` of this process write JSON lines into `stream` (standard output) and the socket of the settings."""
    sinks: dict[str, LineSink] = {"stream": stream if stream is not None else LineSink(descriptor(1))}
    if settings.logger_socket is not None:
        sinks["socket"] = SocketSink(settings.logger_socket)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    constant = {"service": settings.service_name, "environment": settings.environment, "node": settings.node_name}
    final = _SinkLogger(tuple(sinks.values()))

    def add_constant(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.update(constant)
        return event

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            add_constant,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: final,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_LibraryHandler()]
    root.setLevel(max(level, logging.WARNING))  # libraries are heard when something is wrong
    logging.getLogger("aggregate").setLevel(level)
    return Logs(sinks)
