"""JetStream without us: what the log itself costs, on the same server through the same kind of connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from aggregate.stream.connection import Connection
from aggregate.stream.nats_client import Message
from aggregate.stream.subjects import STREAM_NAME, subject_of
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId
from bench.loop import in_flight

END_OF_BATCH = 204


class RawLog:
    """A bare connection that publishes and reads without conditions, checks or codecs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, url: str) -> RawLog:
        connection = Connection(url)
        await connection.open()
        return cls(connection)

    async def close(self) -> None:
        await self._connection.close()

    async def publish(self, bodies: Sequence[bytes], *, at_once: int) -> int:
        """Publish to a new subject and wait for every acknowledgement, `at_once` of them at any time. Returns how many there were."""
        subject = subject_of(AggregateKey(TenantId("raw"), AggregateType("Account"), AggregateId.new_v7()))
        acks = await in_flight(at_once, [partial(self._connection.request, subject, body) for body in bodies])
        assert all(ack.data.startswith(b'{"stream"') for ack in acks), acks[0].data
        return len(acks)

    async def get(self, subject: str, count: int) -> list[bytes]:
        """The bodies of a subject's messages by one direct get."""
        ask = json.dumps({"seq": 1, "next_by_subj": subject, "batch": count}).encode()
        answers = await self._connection.request_many(f"$JS.API.DIRECT.GET.{STREAM_NAME}", ask, is_last=_is_end)
        return [answer.data for answer in answers[:-1]]

    async def last(self, key: AggregateKey) -> bytes:
        """The body of an aggregate's last message."""
        ask = json.dumps({"last_by_subj": subject_of(key)}).encode()
        return (await self._connection.request(f"$JS.API.DIRECT.GET.{STREAM_NAME}", ask)).data


def _is_end(message: Message) -> bool:
    return message.status == END_OF_BATCH
