"""Points in time as text: RFC 3339, UTC, milliseconds (`2026-01-31T12:00:00.000Z`), so that text order is time order."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from functools import lru_cache

TIME_PATTERN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")


def format_time(milliseconds: int) -> str:
    """Unix milliseconds as text."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(4)
def _second(seconds: int) -> str:
    """A busy node asks for the same second again and again."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def parse_time(text: str) -> int:
    """Unix milliseconds of a time that `format_time` wrote.

    Raises:
        ValueError: another form.
    """
    if TIME_PATTERN.match(text) is None:
        raise ValueError(f"expected a time like 2026-01-31T12:00:00.000Z, got {text!r}")
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def now_milliseconds() -> int:
    """Unix milliseconds now."""
    return time.time_ns() // 1_000_000


def now() -> str:
    """The time now."""
    return format_time(now_milliseconds())
