"""Stores whose packs are damaged, or that an older version wrote: they are made anew."""

from __future__ import annotations

import contextlib
from pathlib import Path

import lmdb

from aggregate.errors import StorageError
from aggregate.query.client import QueryClient
from aggregate.query.projection import Projection
from tests.query.documents import Log, aggregate_id, programs_on, projection, reach_end, set_aside, stores
from tests.stream.waiting import eventually


async def test_a_pack_that_is_none_is_noticed_by_who_reads_or_writes_it(tmp_path: Path) -> None:
    log = await Log.begin()
    for number in range(5):
        await log.write("t-1", "A", number, {"a": number})
    programs = await programs_on(log.stream)
    for times, look in enumerate((lambda: QueryClient(running).query("t-1"), lambda: log.write("t-1", "A", 2, {"a": 7})), 1):
        async with projection(tmp_path, log.stream, programs) as running:
            await reach_end(running, log)
        (store,) = stores(tmp_path)
        with lmdb.open(str(store)) as env, env.begin(write=True) as transaction:
            ((key, value),) = ((key, value) for key, value in transaction.cursor() if key.startswith(b"r"))
            transaction.put(key, b"\xff" + value[1:])
        async with projection(tmp_path, log.stream, programs) as running:
            await eventually(lambda: running.status().serving)
            with contextlib.suppress(StorageError):
                await look()
            await _set_aside_and_serving(tmp_path, running, times)
            await reach_end(running, log)
            assert len(await QueryClient(running).query("t-1")) == 5


async def _set_aside_and_serving(folder: Path, running: Projection, times: int) -> None:
    await eventually(lambda: len(set_aside(folder)) == times and running.status().serving)


async def test_a_store_of_another_format_is_made_anew(tmp_path: Path) -> None:
    log = await Log.begin()
    for number in range(5):
        await log.write("t-1", "A", number, {"a": number})
    programs = await programs_on(log.stream)
    old = tmp_path / "0123456789abcdef"
    with lmdb.open(str(old)) as env, env.begin(write=True) as transaction:
        transaction.put(b"mabout", b'{"digest":"0123456789abcdef","format":1,"types":{"A":[],"B":[]}}')
        transaction.put(b"mcomplete", b"1")
        transaction.put(b"rt-1\0A\0" + aggregate_id(1).bytes, b"\x01" + bytes(47) + b'{"a":1}')
    async with projection(tmp_path, log.stream, programs) as running:
        await reach_end(running, log)
        assert [row.state for row in await QueryClient(running).query("t-1", order_by=["a"])] == [{"a": number} for number in range(5)]
    (store,) = stores(tmp_path)
    assert store != old
