"""A key-value bucket of JetStream, with compare-and-set: the few operations that programs and placement need.

The layout is the one NATS tools know (`nats kv get ...`): stream `KV_<bucket>`, subjects `$KV.<bucket>.<key>`, the revision of an entry is
its sequence in that stream.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from aggregate.errors import StreamConflict, StreamError, Unavailable
from aggregate.stream.connection import Connection, ConnectionLost, NoResponders
from aggregate.stream.headers import EXPECTED_SEQUENCE
from aggregate.stream.jetstream import NAME_IN_USE, NOT_FOUND, ApiError, call, get_message, parse_answer

WRONG_SEQUENCE = 10071
SEQUENCE_UNCERTAIN = 10164
OPERATION = "KV-Operation"

T = TypeVar("T")


class Asker(Protocol):
    """Who runs a request on the connection there is, and turns what goes wrong into errors of the tree (`StreamClient.ask`)."""

    async def __call__(self, request: Callable[[Connection], Awaitable[T]]) -> T: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and its revision."""

    value: bytes
    revision: int


class KeyValue:
    """One bucket."""

    def __init__(self, ask: Asker, bucket: str, replicas: int) -> None:
        """`replicas` counts when the bucket is made."""
        self._ask = ask
        self._bucket = bucket
        self._stream = f"KV_{bucket}"
        self._replicas = replicas

    async def ensure(self) -> int:
        """Make the bucket where it is absent; returns its replicas.

        Raises:
            Unavailable, StreamError: it is not there and cannot be made.
        """
        found = await self.replicas()
        return found if found is not None else int((await self._create())["config"].get("num_replicas", 1))

    async def replicas(self) -> int | None:
        """Copies the bucket is kept in, None where it is not there. Raises Unavailable, StreamError."""
        try:
            answer = await self._ask(lambda connection: call(connection, f"STREAM.INFO.{self._stream}"))
        except ApiError as error:
            if error.error_code == NOT_FOUND:
                return None
            raise
        return int(answer["config"].get("num_replicas", 1))

    async def get(self, key: str) -> Entry | None:
        """The newest value, from the leader; None where there is none (or no bucket).

        Raises:
            Unavailable, StreamError: it cannot be read.
        """
        subject = self._subject(key)
        try:
            message = await self._ask(lambda connection: get_message(connection, self._stream, last_by_subj=subject))
        except ApiError as error:
            if error.error_code == NOT_FOUND:
                return None
            raise
        return None if message is None or OPERATION in message.headers else Entry(message.body, message.sequence)

    async def put(self, key: str, value: bytes, *, revision: int) -> int:
        """Write a value where the key still has this revision (0: it has never been written). Returns the new revision.

        Raises:
            StreamConflict: it has another revision.
            Unavailable: it may or may not have been written: read it to know.
            StreamError: the server refused it.
        """
        headers = {EXPECTED_SEQUENCE: str(revision)}
        try:
            return await self._ask(lambda connection: self._put(connection, key, value, headers))
        except ApiError as error:
            if error.error_code in {WRONG_SEQUENCE, SEQUENCE_UNCERTAIN}:
                raise StreamConflict(f"{self._bucket} {key}: it is not at revision {revision}", error.error_code) from error
            raise

    async def keys(self) -> list[str]:
        """All keys ever written, sorted. Raises Unavailable, StreamError."""
        prefix = self._subject("")
        try:
            answer = await self._ask(lambda connection: call(connection, f"STREAM.INFO.{self._stream}", {"subjects_filter": f"{prefix}>"}))
        except ApiError as error:
            if error.error_code == NOT_FOUND:
                return []
            raise
        return sorted(subject.removeprefix(prefix) for subject in answer["state"].get("subjects") or ())

    async def watch(self, changed: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        """Call `changed` when a key was written, as a hint: read again then, and also now and then. It ends with the connection.

        Returns what ends it. Raises Unavailable.
        """

        async def listen(connection: Connection) -> Callable[[], Awaitable[None]]:
            number = await connection.subscribe(f"{self._subject('')}>", lambda _: changed())
            return lambda: connection.unsubscribe(number)

        return await self._ask(listen)

    async def _create(self) -> dict[str, Any]:
        wanted = {
            "name": self._stream,
            "subjects": [f"{self._subject('')}>"],
            "storage": "file",
            "max_msgs_per_subject": 1,
            "discard": "new",
            "deny_delete": True,
            "allow_rollup_hdrs": True,
            "allow_direct": True,
            "num_replicas": self._replicas,
        }
        try:
            return await self._ask(lambda connection: call(connection, f"STREAM.CREATE.{self._stream}", wanted))
        except ApiError as error:
            if error.error_code == NAME_IN_USE:  # another node was quicker
                return await self._ask(lambda connection: call(connection, f"STREAM.INFO.{self._stream}"))
            raise StreamError(f"the bucket {self._bucket} cannot be made: {error}") from error

    async def _put(self, connection: Connection, key: str, value: bytes, headers: Mapping[str, str]) -> int:
        answer = await connection.request(self._subject(key), value, headers)
        return int(parse_answer(answer.data, f"{self._bucket} {key}")["seq"])

    def _subject(self, key: str) -> str:
        return f"$KV.{self._bucket}.{key}"


async def asked(connection: Connection, request: Callable[[Connection], Awaitable[T]]) -> T:
    """Run a request; what goes wrong with the connection becomes Unavailable, and what the server cannot do now too.

    Raises:
        Unavailable, ApiError.
    """
    try:
        return await request(connection)
    except NoResponders as error:
        raise Unavailable(f"JetStream does not answer on {error}: it is off, or has no leader now", "stream_unreachable") from error
    except ConnectionLost as error:
        raise Unavailable(f"the connection to NATS was lost: {error}", "nats_disconnected") from error
    except TimeoutError as error:
        raise Unavailable(f"NATS did not answer: {error}", "stream_unreachable") from error
    except ApiError as error:
        if error.temporary:
            raise Unavailable(str(error), "stream_unreachable") from error
        raise
