"""Three servers: the parts of the contract that replication could break, and what only replication shows."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from aggregate.errors import OutcomeUnknown, StreamConflict, Unavailable
from aggregate.stream import StreamClient
from aggregate.stream.codec import decode_message
from aggregate.stream.subjects import subject_of
from aggregate.testing.nats_cluster import NatsCluster
from aggregate.types import AggregateKey
from tests.stream.messages import new_commit, new_key, new_message, written
from tests.stream.test_contract import (  # noqa: F401 (run again, on this file's `log`)
    test_a_confirmation_says_whether_a_sequence_is_the_last,
    test_a_feed_goes_on_from_a_position_and_narrows_down,
    test_a_mark_comes_after_what_stands_before_it,
    test_a_message_comes_back_byte_for_byte,
    test_an_append_needs_the_last_sequence,
    test_an_owner_is_claimed_with_the_first_message_by_one_tenant,
    test_events_are_published_under_their_versions,
    test_many_nodes_that_load_a_program_agree_on_its_number,
    test_of_many_appends_on_one_condition_one_is_stored,
    test_reading_goes_from_after_to_upto,
    test_reading_since_a_time,
)
from tests.stream.waiting import eventually


@pytest.fixture(scope="module")
def shared() -> Iterator[NatsCluster]:
    """One cluster for the tests that leave it as it was."""
    cluster = NatsCluster()
    asyncio.run(cluster.start())
    yield cluster
    asyncio.run(cluster.__aexit__(None, None, None))


@pytest.fixture
async def log(shared: NatsCluster) -> AsyncIterator[StreamClient]:
    """The log on three replicas."""
    client = await StreamClient.connect(shared.urls, replicas=3)
    await asyncio.wait_for(client.wait_connected(), 30)
    yield client
    await client.close()


@pytest.fixture
async def cluster() -> AsyncIterator[NatsCluster]:
    """A cluster to do things to."""
    async with NatsCluster() as three:
        yield three


async def connected(cluster: NatsCluster) -> StreamClient:
    client = await StreamClient.connect(cluster.urls, replicas=3, monitors=cluster.monitor_urls, breaker_threshold=1000)
    await asyncio.wait_for(client.wait_connected(), 30)
    return client


async def test_the_contract_says_what_three_replicas_mean(cluster: NatsCluster) -> None:
    client = await connected(cluster)
    assert client.durability == "an acknowledged command stands on at least 2 of 3 replicas, written through to the disk"
    await client.close()


async def test_a_message_sent_twice_is_a_duplicate_or_a_conflict_and_stands_once(log: StreamClient) -> None:
    key = new_key()
    body, headers = written(new_message(key))
    first = await log.append(key, body, headers, expected=0)
    try:
        again = await log.append(key, body, headers, expected=0)
        assert again.duplicate
        assert again.sequence == first.sequence
    except StreamConflict:
        pass
    assert len(await log.read(key, after=0, upto=2**62)) == 1


async def test_batches_on_replicas_tell_each_its_own_sequence(shared: NatsCluster) -> None:
    client = await StreamClient.connect(shared.urls, replicas=3, monitors=shared.monitor_urls)
    await asyncio.wait_for(client.wait_connected(), 30)
    assert client._appender.together
    keys = [new_key() for _ in range(200)]
    taken = await client.append(keys[150], *written(new_message(keys[150])), expected=0)
    appended = await asyncio.gather(
        *(client.append(key, *written(new_message(key)), expected=0, claim_owner=number % 2 == 0) for number, key in enumerate(keys)),
        return_exceptions=True,
    )
    for number, (key, answer) in enumerate(zip(keys, appended, strict=True)):
        mine = taken if number == 150 else answer
        assert isinstance(answer, StreamConflict) == (number == 150)
        assert not isinstance(mine, BaseException)
        stored = await client.message_at(mine.sequence)
        assert stored is not None
        assert stored.subject == subject_of(key)
    await client.close()


async def test_the_death_of_the_leader_loses_nothing_and_is_got_over(cluster: NatsCluster) -> None:
    client = await connected(cluster)
    key = new_key()
    acknowledged = 0
    sequence = 0
    try:
        for version in range(1, 6):
            sequence = (await client.append(key, *written(new_message(key, new_commit(version))), expected=sequence)).sequence
            acknowledged = version
        await (await cluster.stream_leader()).stop(how=signal.SIGKILL)
        for version in range(6, 11):
            sequence = await _append_until_it_stands(client, key, version, sequence)
            acknowledged = version
        messages = await client.read_all(key)
        assert decode_message(messages[-1]).last_version == acknowledged == 10
        assert len(messages) == 10
    finally:
        await client.close()


async def _append_until_it_stands(client: StreamClient, key: AggregateKey, version: int, expected: int) -> int:
    """As the handler does it: same bytes, same id, same condition, until one or the other is certain."""
    body, headers = written(new_message(key, new_commit(version)))
    async with asyncio.timeout(60):
        while True:
            try:
                return (await client.append(key, body, headers, expected=expected, timeout=1)).sequence
            except (OutcomeUnknown, Unavailable, StreamConflict):
                await asyncio.sleep(0.1)
            try:
                last = await client.last(key)
            except Unavailable:
                continue
            if last is not None and last.headers["Nats-Msg-Id"] == headers["Nats-Msg-Id"]:
                return last.sequence


async def test_a_minority_confirms_nothing(cluster: NatsCluster) -> None:
    client = await connected(cluster)
    key = new_key()
    leader = await cluster.stream_leader()
    try:
        first = await client.append(key, *written(new_message(key)), expected=0)
        assert await client.confirm(subject_of(key), first.sequence)
        others = [server for server in cluster.servers if server is not leader]
        for server in others:
            server.pause()
        alone = await StreamClient.connect([leader.url], replicas=3)
        with pytest.raises(Unavailable):
            await alone.confirm(subject_of(key), first.sequence)
        for server in others:
            server.resume()
        await alone.close()
    finally:
        for server in cluster.servers:
            server.resume()
        await client.close()


async def test_a_server_that_leaves_is_left_before_it_is_gone(cluster: NatsCluster) -> None:
    client = await StreamClient.connect([cluster.servers[0].url], replicas=3)
    await asyncio.wait_for(client.wait_connected(), 30)
    heard: list[bool] = []
    client.listen(heard.append)
    server = cluster.servers[0]
    assert server.pid is not None
    server._process.send(signal.SIGUSR2)  # type: ignore[union-attr]
    await eventually(lambda: client.connects == 2)
    assert heard == [True], "it never was without a connection"
    assert client.health().connected
    await client.close()
    await server.stop(how=signal.SIGKILL)
