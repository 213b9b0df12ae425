"""`JetStreamSubscription`: messages of the stream in order from a place on, over lost connections and lost consumers.

A short-lived pull consumer on the server keeps the place between two of our requests; it is made again from the last message taken
whenever it, the connection or a message gets lost, so a reader sees each message once and none missing. Nothing runs in the background:
all work is done for whoever asks for the next message, and what has come meanwhile is at most one pull.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

from aggregate.errors import Unavailable
from aggregate.stream.connection import Connection, ConnectionLost, NoResponders
from aggregate.stream.headers import TIME_TO_LIVE
from aggregate.stream.interface import StoredMessage
from aggregate.stream.jetstream import API, NANOSECONDS, NOT_FOUND, ApiError, call, parse_answer
from aggregate.stream.kv import Asker
from aggregate.stream.link import Link
from aggregate.stream.nats_client import Message
from aggregate.stream.subjects import STREAM_NAME, confirm_subject
from aggregate.stream.subscription import Passed

PULL_MESSAGES = 256
PULL_BYTES = 8 << 20
PULL_SECONDS = 60
HEARTBEAT = 5
FORGET_AFTER = 120
"""Seconds without a pull after which the server drops the consumer of a reader that is gone."""
MARK_LIFE = 60
FIRST_WAIT = 0.05
LONGEST_WAIT = 2.0

_CLOSED = Message("", "", {}, b"")
_PULL = json.dumps(
    {
        "batch": PULL_MESSAGES,
        "max_bytes": PULL_BYTES,
        "expires": PULL_SECONDS * NANOSECONDS,
        "idle_heartbeat": HEARTBEAT * NANOSECONDS,
    }
).encode()


class _Broken(Exception):
    """The consumer is no good any more: make it anew."""


class JetStreamSubscription:
    """A `Subscription` to the stream."""

    def __init__(self, link: Link, ask: Asker, node_id: str, subjects: Sequence[str], after: int) -> None:
        self._link = link
        self._ask = ask
        self._mark_subject = confirm_subject(f"{node_id}-mark")
        self._subjects = [*subjects, self._mark_subject]
        self._taken = after
        self._line: asyncio.Queue[Message | None] = asyncio.Queue()
        self._connection: Connection | None = None
        self._consumer = ""
        self._inbox = ""
        self._listening = 0
        self._expected = 1  # the consumer's own number of the next message
        self._open = 0  # messages still to come out of the pull
        self._wait = FIRST_WAIT
        self._closed = False

    def __aiter__(self) -> AsyncIterator[StoredMessage | Passed]:
        return self

    async def __anext__(self) -> StoredMessage | Passed:
        """As `Subscription`; StreamError where the server refuses the subscription for good."""
        while not self._closed:
            try:
                if self._connection is None:
                    await self._make_consumer()
                if self._open <= 0 and self._connection is not None:
                    await self._pull(self._connection)
                if self._line.empty():
                    async with asyncio.timeout(3 * HEARTBEAT):
                        message = await self._line.get()
                else:
                    message = self._line.get_nowait()
                if message is _CLOSED:
                    break
                if (taken := self._take(message)) is not None:
                    self._wait = FIRST_WAIT
                    return taken
            except (_Broken, Unavailable, ConnectionLost, NoResponders, TimeoutError):
                await self._forget_consumer()
                await asyncio.sleep(self._wait * random.uniform(0.5, 1.0))
                self._wait = min(self._wait * 2, LONGEST_WAIT)
        raise StopAsyncIteration

    async def mark(self) -> int:
        headers = {TIME_TO_LIVE: f"{MARK_LIFE}s"}
        answer = await self._ask(lambda connection: connection.request(self._mark_subject, b"", headers))
        return int(parse_answer(answer.data, "mark")["seq"])

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._line.put_nowait(_CLOSED)
            await self._forget_consumer()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def _make_consumer(self) -> None:
        await self._link.wait(up=True)
        connection = self._link.connection()
        name = f"read-{secrets.token_hex(8)}"
        configuration = {
            "name": name,
            "ack_policy": "none",
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._taken + 1,
            "filter_subjects": self._subjects,
            "inactive_threshold": FORGET_AFTER * NANOSECONDS,
            "mem_storage": True,
            "num_replicas": 1,
        }
        try:
            await call(
                connection,
                f"CONSUMER.CREATE.{STREAM_NAME}.{name}",
                {"stream_name": STREAM_NAME, "config": configuration, "action": "create"},
            )
        except ApiError as error:
            if error.temporary or error.error_code == NOT_FOUND:
                raise _Broken from error
            raise
        line: asyncio.Queue[Message | None] = asyncio.Queue()
        inbox = connection.new_inbox()
        self._listening = await connection.subscribe(inbox, line.put_nowait)
        self._connection, self._consumer, self._inbox, self._line = connection, name, inbox, line
        self._expected, self._open = 1, 0

    async def _forget_consumer(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.is_open:
            with contextlib.suppress(ConnectionLost):
                await connection.unsubscribe(self._listening)
                await connection.publish(f"{API}.CONSUMER.DELETE.{STREAM_NAME}.{self._consumer}", b"")

    async def _pull(self, connection: Connection) -> None:
        await connection.publish(f"{API}.CONSUMER.MSG.NEXT.{STREAM_NAME}.{self._consumer}", _PULL, reply=self._inbox)
        self._open = PULL_MESSAGES

    def _take(self, message: Message | None) -> StoredMessage | Passed | None:
        """What a message from the consumer means for the reader: None where nothing.

        Raises:
            _Broken: the consumer lost something, or is lost.
        """
        if message is None:
            raise _Broken
        if not message.reply and (status := message.status):
            if status == 100:
                return None  # the server is alive
            if status in {404, 408} or (status == 409 and message.description.startswith(("Batch Completed", "Message Size Exceeds"))):
                self._open = 0  # the pull is over
                return None
            raise _Broken
        sequence, number, time = _place(message.reply)
        if number != self._expected:
            raise _Broken
        self._expected += 1
        self._open -= 1
        self._taken = sequence
        if message.subject == self._mark_subject:
            return Passed(sequence)
        return StoredMessage(sequence, message.subject, message.data, time, message.headers)


def _place(reply: str) -> tuple[int, int, int]:
    """Stream sequence, consumer's number, time: of `$JS.ACK.[DOMAIN.ACCOUNT.]STREAM.CONSUMER.DELIVERED.SEQUENCE.NUMBER.TIME.PENDING`."""
    parts = reply.split(".")
    first = 4 if len(parts) == 9 else 6
    try:
        return int(parts[first + 1]), int(parts[first + 2]), int(parts[first + 3])
    except (IndexError, ValueError) as error:
        raise _Broken from error
