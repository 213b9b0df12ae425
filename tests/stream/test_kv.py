"""Buckets: compare-and-set, hints, and what other hands may have left in them."""

from __future__ import annotations

import asyncio

import pytest

from aggregate.errors import StreamConflict, StreamError
from aggregate.stream import StreamClient
from aggregate.stream.kv import KeyValue
from aggregate.stream.programs import BUCKET, ProgramRegistry, Source
from aggregate.testing.nats import EmbeddedNats
from tests.stream.waiting import eventually

DIGEST = "ab" * 32


@pytest.fixture
async def bucket(client: StreamClient) -> KeyValue:
    """A bucket that exists."""
    made = client.bucket("TEST")
    await made.ensure()
    return made


async def test_a_bucket_that_is_not_there_is_empty(client: StreamClient) -> None:
    absent = client.bucket("NOTHING")
    assert await absent.get("a") is None
    assert await absent.keys() == []


async def test_a_value_is_written_where_the_revision_holds(bucket: KeyValue) -> None:
    first = await bucket.put("a", b"one", revision=0)
    for wrong in (0, first + 5):
        with pytest.raises(StreamConflict):
            await bucket.put("a", b"two", revision=wrong)
    second = await bucket.put("a", b"two", revision=first)
    entry = await bucket.get("a")
    assert entry is not None
    assert (entry.value, entry.revision) == (b"two", second)
    await bucket.put("b.c", b"", revision=0)
    assert await bucket.keys() == ["a", "b.c"]


async def test_of_many_writers_on_one_revision_one_wins(bucket: KeyValue) -> None:
    results = await asyncio.gather(*(bucket.put("a", str(n).encode(), revision=0) for n in range(10)), return_exceptions=True)
    assert sum(isinstance(result, int) for result in results) == 1


async def test_making_a_bucket_again_changes_nothing(bucket: KeyValue) -> None:
    await bucket.put("a", b"one", revision=0)
    assert await bucket.ensure() == 1
    assert await bucket.get("a") is not None


async def test_who_watches_is_given_a_hint(bucket: KeyValue) -> None:
    hints: list[None] = []
    stop = await bucket.watch(lambda: hints.append(None))
    revision = await bucket.put("a", b"one", revision=0)
    await eventually(lambda: len(hints) == 1)
    await stop()
    await bucket.put("a", b"two", revision=revision)
    await bucket.keys()
    assert len(hints) == 1


async def test_a_value_that_another_tool_deleted_is_none(nats: EmbeddedNats, client: StreamClient, bucket: KeyValue) -> None:
    import nats as other_client

    await bucket.put("a", b"one", revision=0)
    connection = await other_client.connect(nats.url)
    store = await connection.jetstream().key_value("TEST")
    assert (await store.get("a")).value == b"one"
    await store.delete("a")
    assert await bucket.get("a") is None
    await connection.close()


async def test_programs_are_kept_with_their_source(client: StreamClient) -> None:
    registry = ProgramRegistry(client.bucket(BUCKET))
    text = 'fn decide() { "é\n" }'
    assert await registry.register("Account", DIGEST, "agl-1", text) == 1
    assert await registry.source(DIGEST) == Source("agl-1", text)
    assert await registry.source("cd" * 32) is None
    assert await registry.generations("Account") == [DIGEST]
    assert await registry.generations("Order") == []


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"v":2,"digests":[]}'])
async def test_a_list_of_programs_of_another_format_stops_the_node(client: StreamClient, value: bytes) -> None:
    bucket = client.bucket(BUCKET)
    await bucket.put("type.Account", value, revision=0)
    with pytest.raises(StreamError, match=r"type\.Account"):
        await ProgramRegistry(bucket).register("Account", DIGEST, "agl-1", "source")
