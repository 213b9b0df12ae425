"""JetStream without us: what the log itself costs, on the same server. Published through the same kind of connection as ours, read through
nats-py as it comes: how our connection reads headers is ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import partial

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from aggregate.stream.connection import Connection
from aggregate.stream.subjects import STREAM_NAME, subject_of
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId
from bench.loop import in_flight

END_OF_BATCH = "204"


class RawLog:
    """A bare connection that publishes and reads without conditions, checks or codecs."""

    def __init__(self, connection: Connection, reader: Client) -> None:
        self._connection = connection
        self._reader = reader

    @classmethod
    async def open(cls, url: str) -> RawLog:
        connection = Connection(url)
        await connection.open()
        return cls(connection, await nats.connect(url))

    async def close(self) -> None:
        await self._connection.close()
        await self._reader.close()

    async def publish(self, bodies: Sequence[bytes], *, at_once: int) -> int:
        """Publish to a new subject and wait for every acknowledgement, `at_once` of them at any time. Returns how many there were."""
        subject = subject_of(AggregateKey(TenantId("raw"), AggregateType("Account"), AggregateId.new_v7()))
        acks = await in_flight(at_once, [partial(self._connection.request, subject, body) for body in bodies])
        assert all(ack.data.startswith(b'{"stream"') for ack in acks), acks[0].data
        return len(acks)

    async def get(self, subject: str, count: int) -> list[bytes]:
        """The bodies of a subject's messages by one direct get."""
        bodies: list[bytes] = []
        ended = asyncio.Event()

        async def take(message: Msg) -> None:
            if message.headers is not None and message.headers.get("Status") == END_OF_BATCH:
                ended.set()
            else:
                bodies.append(message.data)

        inbox = self._reader.new_inbox()
        subscription = await self._reader.subscribe(inbox, cb=take)
        ask = json.dumps({"seq": 1, "next_by_subj": subject, "batch": count}).encode()
        await self._reader.publish(f"$JS.API.DIRECT.GET.{STREAM_NAME}", ask, reply=inbox)
        await ended.wait()
        await subscription.unsubscribe()
        return bodies

    async def last(self, key: AggregateKey) -> bytes:
        """The body of an aggregate's last message."""
        ask = json.dumps({"last_by_subj": subject_of(key)}).encode()
        return (await self._connection.request(f"$JS.API.DIRECT.GET.{STREAM_NAME}", ask)).data
