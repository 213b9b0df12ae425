"""Appends that leave together: each gets its own answer, as if it had gone alone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from aggregate.errors import MessageTooLarge, OutcomeUnknown, StreamConflict, Unavailable
from aggregate.stream import StreamClient, appender
from aggregate.stream.appender import Appender
from aggregate.stream.codec import decode_message
from aggregate.stream.subjects import subject_of
from aggregate.testing.nats import EmbeddedNats
from tests.stream.messages import new_commit, new_key, new_message, written


@pytest.fixture
async def together(nats: EmbeddedNats, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StreamClient]:
    """A client that sends a batch as soon as two wait."""
    monkeypatch.setattr(appender, "FEW", 1)
    client = await StreamClient.connect([nats.url], monitors=[nats.monitor_url])
    assert client._appender.together, "the embedded server writes through"
    yield client
    await client.close()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that the server took whole."""
    sizes: list[int] = []
    send = Appender._send_batch

    async def counted(self: Appender, batch: list[object]) -> bool:
        taken = await send(self, batch)  # type: ignore[arg-type]
        if taken:
            sizes.append(len(batch))
        return taken

    monkeypatch.setattr(Appender, "_send_batch", counted)
    return sizes


async def test_without_knowing_that_it_pays_everything_goes_alone(nats: EmbeddedNats, batches: list[int]) -> None:
    client = await StreamClient.connect([nats.url])
    await asyncio.gather(*(client.append(key, *written(new_message(key)), expected=0) for key in [new_key() for _ in range(40)]))
    await client.close()
    assert batches == []


async def test_each_is_told_its_own_sequence(together: StreamClient, batches: list[int]) -> None:
    keys = [new_key() for _ in range(300)]
    appended = await asyncio.gather(
        *(together.append(key, *written(new_message(key)), expected=0, claim_owner=number % 3 == 0) for number, key in enumerate(keys))
    )
    assert sum(batches) > 200
    assert max(batches) > 50
    for number, (key, answer) in enumerate(zip(keys, appended, strict=True)):
        stored = await together.message_at(answer.sequence)
        assert stored is not None
        assert stored.subject == subject_of(key)
        assert await together.owner(key.aggregate_id) == (key.tenant_id if number % 3 == 0 else None)


async def test_a_conflict_in_a_batch_is_the_conflict_of_one(together: StreamClient) -> None:
    keys = [new_key() for _ in range(30)]
    taken = await together.append(keys[17], *written(new_message(keys[17])), expected=0)
    results = await asyncio.gather(*(together.append(key, *written(new_message(key)), expected=0) for key in keys), return_exceptions=True)
    assert [number for number, result in enumerate(results) if isinstance(result, BaseException)] == [17]
    conflict = results[17]
    assert isinstance(conflict, StreamConflict)
    assert conflict.actual == taken.sequence


async def test_a_known_message_id_in_a_batch_is_the_duplicate_of_one(together: StreamClient) -> None:
    keys = [new_key() for _ in range(10)]
    body, headers = written(new_message(keys[0]))
    first = await together.append(keys[0], body, headers, expected=0)
    results = await asyncio.gather(
        *(
            together.append(key, written(new_message(key))[0], headers if key is keys[5] else written(new_message(key))[1], expected=0)
            for key in keys[1:]
        )
    )
    assert [result.duplicate for result in results] == [key is keys[5] for key in keys[1:]]
    assert results[4].sequence == first.sequence


async def test_fences_expire_out_of_a_batch_too(together: StreamClient, batches: list[int]) -> None:
    keys = [new_key() for _ in range(10)]
    await asyncio.gather(
        *(together.append(key, *written(new_message(key, new_commit(refused=True))), expected=0, ttl=3600) for key in keys)
    )
    assert batches
    for key in keys:
        last = await together.last(key)
        assert last is not None
        assert last.expires
        assert decode_message(last).only_refusals


async def test_two_messages_of_one_aggregate_do_not_meet_in_a_batch(together: StreamClient) -> None:
    keys = [new_key() for _ in range(5)] * 4
    results = await asyncio.gather(*(together.append(key, *written(new_message(key)), expected=0) for key in keys), return_exceptions=True)
    for key in keys[:5]:
        assert sum(each is key and not isinstance(result, BaseException) for each, result in zip(keys, results, strict=True)) == 1
        assert len(await together.read(key, after=0, upto=2**62)) == 1


async def test_one_that_is_too_large_fails_alone(together: StreamClient) -> None:
    keys = [new_key() for _ in range(10)]
    large = {keys[3]: b"x" * (together.max_payload - 100)}
    results = await asyncio.gather(
        *(together.append(key, large.get(key, b"{}"), written(new_message(key))[1], expected=0) for key in keys), return_exceptions=True
    )
    assert [isinstance(result, MessageTooLarge) for result in results] == [key in large for key in keys]


async def test_a_cancelled_one_that_still_waits_is_not_sent(together: StreamClient) -> None:
    keys = [new_key() for _ in range(20)]
    tasks = [asyncio.ensure_future(together.append(key, *written(new_message(key)), expected=0)) for key in keys]
    tasks[10].add_done_callback(lambda _: None)
    await asyncio.sleep(0)
    tasks[10].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[10], asyncio.CancelledError)
    assert sum(isinstance(result, BaseException) for result in results) == 1
    assert together._appender._line == []


async def test_a_frozen_server_leaves_those_sent_unknown_and_those_not_sent_certain(nats: EmbeddedNats, together: StreamClient) -> None:
    keys = [new_key() for _ in range(400)]
    nats.pause()
    results = await asyncio.gather(
        *(together.append(key, *written(new_message(key)), expected=0, timeout=0.3) for key in keys), return_exceptions=True
    )
    nats.resume()
    assert {type(result) for result in results} <= {OutcomeUnknown, Unavailable}
    unknown = [key for key, result in zip(keys, results, strict=True) if isinstance(result, OutcomeUnknown)]
    certain = [key for key, result in zip(keys, results, strict=True) if isinstance(result, Unavailable)]
    assert unknown
    fresh = await StreamClient.connect([nats.url])
    assert await asyncio.gather(*(fresh.last(key) for key in certain)) == [None] * len(certain)
    await fresh.close()


async def test_a_lost_connection_leaves_all_of_a_batch_unknown(nats: EmbeddedNats, together: StreamClient) -> None:
    keys = [new_key() for _ in range(50)]
    nats.pause()
    tasks = [asyncio.ensure_future(together.append(key, *written(new_message(key)), expected=0, timeout=30)) for key in keys]
    for _ in range(5):
        await asyncio.sleep(0)
    await nats.stop(how=signal.SIGKILL)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {OutcomeUnknown}


async def test_closing_tells_those_who_wait(nats: EmbeddedNats, together: StreamClient) -> None:
    keys = [new_key() for _ in range(400)]
    tasks = [asyncio.ensure_future(together.append(key, *written(new_message(key)), expected=0)) for key in keys]
    for _ in range(3):
        await asyncio.sleep(0)
    await together.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    fresh = await StreamClient.connect([nats.url])
    for key, result in zip(keys, results, strict=True):
        if isinstance(result, BaseException):
            assert isinstance(result, Unavailable)
            assert await fresh.last(key) is None
        else:
            assert await fresh.last(key) is not None
    await fresh.close()
