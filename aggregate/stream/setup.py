"""The stream: created when absent, looked at when present, never changed.

An existing stream that differs is somebody's decision or somebody's mistake; either way the operator is told what differs and decides.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aggregate.errors import StreamError, Unavailable
from aggregate.stream.connection import Connection
from aggregate.stream.jetstream import NAME_IN_USE, NANOSECONDS, NOT_FOUND, ApiError, call, parse_timestamp
from aggregate.stream.subjects import STREAM_NAME, STREAM_SUBJECTS

DUPLICATE_WINDOW = 120
"""Seconds within which the server knows a message id again."""

_UNLIMITED = {"max_consumers", "max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size"}
_ABSENT = ("mirror", "sources", "subject_transform", "sealed", "no_ack")


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """The stream as it is.

    Attributes:
        replicas: copies it is kept in.
        differences: what differs from the configuration it should have, a sentence each; empty where all is well.
        created: the server's time of its creation: another one is another stream.
        last_sequence: of its newest message.
        persist_mode: `default` (synchronous) or `async`.
        clock_ahead: seconds by which this node's clock is ahead of the server's (negative: behind).
    """

    replicas: int
    differences: tuple[str, ...]
    created: str
    last_sequence: int
    persist_mode: str
    clock_ahead: float = 0.0


def stream_configuration(replicas: int) -> dict[str, Any]:
    """The configuration of the stream."""
    return {
        "name": STREAM_NAME,
        "subjects": list(STREAM_SUBJECTS),
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        **dict.fromkeys(sorted(_UNLIMITED), -1),
        "max_age": 0,
        "deny_delete": True,
        "deny_purge": True,
        "allow_direct": True,
        "allow_atomic": True,
        "allow_msg_ttl": True,
        "duplicate_window": DUPLICATE_WINDOW * NANOSECONDS,
        "num_replicas": replicas,
    }


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """What `found` has different from `wanted`; members that nobody asked for count only where they change what a log is."""
    unlike = []
    for name, value in wanted.items():
        actual = found.get(name)
        if name == "subjects":
            actual = value if set(value) == set(actual or ()) else actual
        elif name in _UNLIMITED and actual in {0, None}:
            actual = -1
        elif actual is None:
            actual = False if isinstance(value, bool) else 0
        if actual != value:
            unlike.append(f"{name} is {actual}, should be {value}")
    unlike += [f"{name} is set, should not be" for name in _ABSENT if found.get(name)]
    return tuple(unlike)


async def ensure_stream(connection: Connection, replicas: int, *, create: bool, timeout: float = 5.0) -> StreamFacts:
    """Look at the stream; where it is absent and `create` allows, make it.

    Raises:
        Unavailable: it is absent and may not be made, or the server cannot make it now.
        ConnectionLost, TimeoutError, NoResponders: there is no answer.
        StreamError: the server refused to make it.
    """
    wanted = stream_configuration(replicas)
    try:
        answer = await call(connection, f"STREAM.INFO.{STREAM_NAME}", timeout=timeout)
    except ApiError as error:
        if error.error_code != NOT_FOUND:
            raise
        if not create:
            why = f"the stream {STREAM_NAME} is not there, but this node has seen it: it is not made anew"
            raise Unavailable(why, "stream_missing") from error
        answer = await _create(connection, wanted, timeout)
    return _facts(wanted, answer)


async def _create(connection: Connection, wanted: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    try:
        return await call(connection, f"STREAM.CREATE.{STREAM_NAME}", wanted, timeout=timeout)
    except ApiError as error:
        if error.error_code == NAME_IN_USE:  # another node was quicker, with another configuration
            return await call(connection, f"STREAM.INFO.{STREAM_NAME}", timeout=timeout)
        raise StreamError(f"the stream cannot be made: {error}") from error


def _facts(wanted: Mapping[str, Any], answer: Mapping[str, Any]) -> StreamFacts:
    configuration = answer["config"]
    return StreamFacts(
        replicas=int(configuration.get("num_replicas", 1)),
        differences=differences(wanted, configuration),
        created=str(answer["created"]),
        last_sequence=int(answer["state"]["last_seq"]),
        persist_mode=str(configuration.get("persist_mode") or "default"),
        clock_ahead=(time.time_ns() - parse_timestamp(str(answer["ts"]))) / NANOSECONDS if "ts" in answer else 0.0,
    )
