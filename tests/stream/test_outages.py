"""What the client says and does while the server is away, frozen or killed."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from aggregate.errors import OutcomeUnknown, Unavailable
from aggregate.stream import StreamClient
from aggregate.stream.subjects import subject_of
from aggregate.stream.subscription import Passed
from aggregate.testing.nats import EmbeddedNats
from aggregate.testing.ports import free_port
from tests.stream.messages import new_commit, new_key, new_message, written
from tests.stream.waiting import eventually


async def test_a_client_waits_for_a_server_that_is_not_there_yet() -> None:
    port = free_port()
    client = await StreamClient.connect([f"nats://127.0.0.1:{port}"])
    try:
        assert not client.connected
        assert "not connected" in client.health().reasons[0]
        with pytest.raises(Unavailable) as caught:
            await client.last(new_key())
        assert caught.value.reason == "nats_disconnected"
        async with EmbeddedNats(port=port):
            await asyncio.wait_for(client.wait_connected(), 20)
            assert client.health().ready
            key = new_key()
            await client.append(key, *written(new_message(key)), expected=0)
            assert await client.last(key) is not None
    finally:
        await client.close()


async def test_nothing_is_sent_while_there_is_no_connection_nor_later(nats: EmbeddedNats, client: StreamClient) -> None:
    key = new_key()
    await nats.stop(how=signal.SIGKILL)
    await eventually(lambda: not client.connected)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await client.append(key, *written(new_message(key)), expected=0)
    await nats.start()
    await asyncio.wait_for(client.wait_connected(), 20)
    assert await client.last(key) is None


async def test_what_was_acknowledged_survives_a_kill(nats: EmbeddedNats, client: StreamClient) -> None:
    key = new_key()
    first = await client.append(key, *written(new_message(key)), expected=0, claim_owner=True)
    await nats.stop(how=signal.SIGKILL)
    await nats.start()
    await eventually(lambda: client.connects == 2)
    last = await client.last(key)
    assert last is not None
    assert last.sequence == first.sequence
    assert await client.owner(key.aggregate_id) == key.tenant_id


async def test_an_append_under_way_when_the_server_dies_has_an_unknown_outcome_at_once(nats: EmbeddedNats, client: StreamClient) -> None:
    key = new_key()
    body, headers = written(new_message(key))
    nats.pause()
    append = asyncio.ensure_future(client.append(key, body, headers, expected=0, timeout=60))
    await asyncio.sleep(0)
    await nats.stop(how=signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught:
        await append
    assert time.monotonic() - began < 10
    assert caught.value.command_id == headers["Nats-Msg-Id"]


async def test_an_append_without_an_answer_in_time_has_an_unknown_outcome_and_may_land(nats: EmbeddedNats, client: StreamClient) -> None:
    key = new_key()
    nats.pause()
    with pytest.raises(OutcomeUnknown):
        await client.append(key, *written(new_message(key)), expected=0, timeout=0.1)
    nats.resume()
    async with client.subscribe([subject_of(key)], after=0) as subscription:
        landed = await asyncio.wait_for(anext(subscription), 20)
    assert not isinstance(landed, Passed)
    assert landed.subject == subject_of(key)


async def test_the_breaker_opens_after_failures_and_closes_by_itself(nats: EmbeddedNats) -> None:
    client = await StreamClient.connect([nats.url], breaker_threshold=2, breaker_reset=0.2)
    key = new_key()
    try:
        nats.pause()
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await client.append(key, *written(new_message(key)), expected=0, timeout=0.05)
        assert client.health().breaker == "open"
        assert "in a row" in client.health().reasons[0]
        began = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            await client.append(key, *written(new_message(key)), expected=0)
        assert time.monotonic() - began < 0.1
        assert caught.value.reason == "breaker_open"
        assert caught.value.retry_after is not None
        nats.resume()
        await asyncio.sleep(caught.value.retry_after)
        assert await client.last(key) is not None
        assert client.health().breaker == "closed"
        assert client.health().ready
    finally:
        await client.close()


async def test_a_cancelled_append_leaves_the_client_whole(client: StreamClient) -> None:
    key = new_key()
    tasks = [asyncio.ensure_future(client.append(key, *written(new_message(key)), expected=0)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 10
    assert len(await client.read(key, after=0, upto=2**62)) == 1
    assert not client._link.connection()._waiting


async def test_closing_waits_for_answers_under_way(nats: EmbeddedNats) -> None:
    client = await StreamClient.connect([nats.url])
    keys = [new_key() for _ in range(50)]
    tasks = [asyncio.ensure_future(client.append(key, *written(new_message(key)), expected=0)) for key in keys]
    await asyncio.sleep(0)
    await client.close()
    assert all(task.done() and task.exception() is None for task in tasks)


async def test_a_listener_that_fails_costs_nothing(nats: EmbeddedNats, client: StreamClient) -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))
    client.listen(lambda up: {}[up])
    await nats.stop()
    await nats.start()
    await eventually(lambda: client.connects == 2)
    assert [type(failure) for failure in failures] == [KeyError, KeyError]


async def test_who_listens_hears_of_every_change(nats: EmbeddedNats, client: StreamClient) -> None:
    heard: list[bool] = []
    client.listen(heard.append)
    await nats.stop()
    await eventually(lambda: heard == [False])
    await nats.start()
    await eventually(lambda: heard == [False, True])
    assert client.connects == 2


async def test_a_subscription_outlives_the_server(nats: EmbeddedNats, client: StreamClient) -> None:
    key = new_key()
    sequence = 0
    seen: list[int] = []
    async with client.subscribe([subject_of(key)], after=0) as subscription:
        for round_ in range(3):
            for version in range(4 * round_ + 1, 4 * round_ + 5):
                sequence = (await client.append(key, *written(new_message(key, new_commit(version))), expected=sequence)).sequence
            while len(seen) < 4 * round_ + 2:  # leaves two of the four for after the restart
                message = await asyncio.wait_for(anext(subscription), 20)
                assert not isinstance(message, Passed)
                seen.append(message.sequence)
            before = client.connects
            await nats.stop(how=signal.SIGKILL)
            await nats.start()
            await eventually(lambda before=before: client.connects > before)  # type: ignore[misc]
        while len(seen) < 12:
            message = await asyncio.wait_for(anext(subscription), 20)
            assert not isinstance(message, Passed)
            seen.append(message.sequence)
    assert seen == [message.sequence for message in await client.read(key, after=0, upto=2**62)]


async def test_a_subscription_reads_more_than_one_pull(client: StreamClient) -> None:
    keys = [new_key() for _ in range(700)]
    await asyncio.gather(*(client.append(key, *written(new_message(key)), expected=0) for key in keys))
    async with client.subscribe(["tenant.tenant-a.aggregate.>"], after=0) as subscription:
        found = [await asyncio.wait_for(anext(subscription), 20) for _ in range(700)]
    sequences = [message.sequence for message in found]
    assert sequences == sorted(sequences)
    assert {message.subject for message in found if not isinstance(message, Passed)} == {subject_of(key) for key in keys}


async def test_a_history_longer_than_one_batch_is_read_whole(client: StreamClient) -> None:
    key = new_key()
    sequence = 0
    for version in range(1, 1201):
        sequence = (await client.append(key, *written(new_message(key, new_commit(version))), expected=sequence)).sequence
    assert len(await client.read(key, after=0, upto=sequence)) == 1200
    assert len(await client.read_since(key, milliseconds=0, upto=sequence)) == 1200
    assert len(await client.read_all(key)) == 1200


async def test_a_server_that_is_none_is_told_from_one_that_is() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = await StreamClient.connect([f"nats://127.0.0.1:{port}"])
    try:
        assert "expecting INFO" in client.reasons()[0]
    finally:
        await client.close()
        server.close()


async def test_another_server_of_the_list_is_taken(nats: EmbeddedNats) -> None:
    client = await StreamClient.connect([f"nats://127.0.0.1:{free_port()}", nats.url])
    try:
        assert client.health().ready
    finally:
        await client.close()
