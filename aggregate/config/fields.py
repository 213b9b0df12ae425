"""Kinds of values that settings have beyond numbers and text: durations, sizes, addresses, secrets, server lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema

from aggregate.types import TenantId

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)?\Z")
_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"([0-9]+)\s*([A-Za-z]*)\Z")
_NATS = ("nats", "tls")
_HTTP = ("http", "https")


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        found = _DURATION.match(value.strip())
        if found is None:
            raise ValueError(f"expected seconds or a duration like 250ms, 5s, 10m or 1h, got {value!r}")
        return float(found[1]) * _UNITS[found[2] or "s"]
    return float(value) if isinstance(value, Decimal) else value


def _bytes(value: Any) -> Any:
    if isinstance(value, str):
        found = _SIZE.match(value.strip())
        if found is None or found[2].lower() not in _SIZES:
            raise ValueError(f"expected bytes or a size like 64MiB, got {value!r}")
        return int(found[1]) * _SIZES[found[2].lower()]
    return value


class HostPort(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in {"localhost", "::1"} or re.fullmatch(r"127(\.[0-9]{1,3}){3}", self.host) is not None


def parse_address(text: str) -> HostPort:
    """`host:port` (`[::1]:8080` for IPv6) in its parts.

    Raises:
        ValueError: it has another form.
    """
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not bare or (":" in bare and bare == host) or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"expected host:port, got {text!r}")
    return HostPort(bare, int(port))


def _address(value: Any) -> Any:
    return str(parse_address(value)) if isinstance(value, str) else value


def _urls(schemes: Sequence[str], example: str, value: Any) -> Any:
    """One text of a list or a comma-separated text, every URL looked at. A URL's user and password are not shown in errors."""
    if isinstance(value, list):
        value = ",".join(str(each) for each in value)
    if not isinstance(value, str):
        return value
    urls = [each.strip() for each in value.split(",") if each.strip()]
    for number, url in enumerate(urls, 1):
        problem = _url_problem(url, schemes)
        if problem:
            raise ValueError(f"server {number}: {problem}, expected a URL like {example}, got {hide_password(url)!r}")
    return ",".join(urls)


def _url_problem(url: str, schemes: Sequence[str]) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in schemes:
        return f"the scheme is none of {', '.join(schemes)}"
    if not parts.hostname or re.search(r"\s", url):
        return "no host"
    if port == 0:
        return "port 0"
    return None


def hide_password(urls: str) -> str:
    """The URLs without what stands before an `@`."""
    return re.sub(r"(\w+://)[^@/,\s]+@", r"\1***@", urls)


_TEXT_OR_NUMBER = {"type": ["number", "string"]}

Seconds = Annotated[
    float, BeforeValidator(_seconds), Field(ge=0, le=10 * 365 * 86400, allow_inf_nan=False), WithJsonSchema(_TEXT_OR_NUMBER)
]
"""A duration: seconds as a number, or text like `250ms`, `5s`, `10m`, `1h`."""

Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0, le=2**50), WithJsonSchema({"type": ["integer", "string"]})]
"""A size: bytes as a number, or text like `64MiB`."""

Address = Annotated[str, BeforeValidator(_address)]
"""`host:port`."""

_ONE_OR_MORE = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})

Servers = Annotated[str, BeforeValidator(partial(_urls, _NATS, "nats://host:4222")), _ONE_OR_MORE]
"""One or more NATS URLs, separated by commas (in a file also a list)."""

Monitors = Annotated[str, BeforeValidator(partial(_urls, _HTTP, "http://host:8222")), _ONE_OR_MORE]
"""URLs of NATS servers' monitoring ports, likewise."""

Tenant = Annotated[TenantId, WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]{0,64}$"})]
"""A tenant's name, or empty."""

Secret = SecretStr
"""Text that is never printed; also given by `<name>_file`, the path of a file that holds it."""
