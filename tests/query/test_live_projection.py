"""Live queries over the projection on disk: under writes, restarts, rebuilds and another log they are what a query gives."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aggregate.config.manifest import Projection as ProjectionConfig
from aggregate.errors import Unavailable
from aggregate.query.client import QueryClient
from aggregate.query.live import LiveQueries
from aggregate.query.projection import Projection
from aggregate.types import TenantId
from aggregate.types.queries import MAX_LIMIT, Query
from tests.query.documents import INDEXED, Log, programs_on, projection
from tests.query.watching import Client, view_of

FILTERS = ("a > 50", "a % 3 == 0", "", 'meta.type == "B" and a != None', "b == null")
OTHERS = (
    ProjectionConfig(where="a > 20", indexes=("a",)),
    ProjectionConfig(fields=("b",)),
    ProjectionConfig(where="a < 90", fields=("a",)),
)


@asynccontextmanager
async def lively(folder: Path, log: Log, config: ProjectionConfig = INDEXED) -> AsyncIterator[tuple[Projection, LiveQueries]]:
    """A projection with live queries."""
    async with projection(folder, log.stream, await programs_on(log.stream, projection=config)) as running:
        live = LiveQueries(running)
        await running.reach("0:0", time.monotonic() + 30)
        yield running, live
        await live.close()


async def settle(running: Projection, log: Log, clients: list[Client]) -> None:
    """A quiet point: everybody knows what a fresh query gives."""
    end = log.stream.position(log.history[-1][0]) if log.history else "0:0"
    await running.reach(end, time.monotonic() + 30)
    asking = QueryClient(running, timeout=30)
    for client in clients:
        tenant, text, kind = client._question
        fresh = await asking.find(tenant, Query(text, kind, limit=MAX_LIMIT, min_position=end))
        await client.until_view(view_of(fresh))


async def write(log: Log, chance: random.Random, count: int) -> None:
    """Some commands, several at once."""
    values = [None, {"b": 1}, *({"a": chance.randrange(100), "b": chance.choice([None, 2])} for _ in range(6))]
    writes = [(chance.choice(["t-1", "t-2"]), chance.choice("AB"), chance.randrange(12), chance.choice(values)) for _ in range(count)]
    for start in range(0, count, 5):
        await asyncio.gather(*(log.write(*each) for each in writes[start : start + 5]))


@pytest.mark.parametrize("seed", range(4))
async def test_a_folded_view_is_a_fresh_query_under_writes_restarts_and_rebuilds(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    log = await Log.begin()
    await write(log, chance, 30)
    clients: list[Client] = []
    configs = [INDEXED, INDEXED, chance.choice(OTHERS), chance.choice(OTHERS)]
    for before, config in zip([None, *configs], configs, strict=False):
        async with lively(tmp_path, log, config) as (running, live):
            for client in clients:
                client._live = live
                await client.resume()
            if not clients:
                clients += [Client(live, chance.choice(["t-1", "t-2"]), text, chance.choice([None, "A", "B"])) for text in FILTERS]
            for _ in range(3):
                lags = [client.folded.lags for client in clients]
                await write(log, chance, 40)
                for client in chance.sample(clients, 2):
                    await client.resume()
                await settle(running, log, clients)
                if before is config:
                    assert [client.folded.lags for client in clients] == lags, "nothing was lost, so nothing begins anew"
            if before not in {None, config}:
                assert all(client.folded.lags for client in clients), "rows are made in another way"
    for client in clients:
        await client.stop()


async def test_another_log_in_place_of_the_one_there_was_makes_them_begin_anew(tmp_path: Path) -> None:
    log = await Log.begin()
    await log.write("t-1", "A", 1, {"a": 1})
    async with lively(tmp_path, log) as (running, live):
        client = Client(live, "t-1", "")
        await settle(running, log, [client])
        running.begin_anew("a test says so")
        error = await client.until_failed()
        assert "resume token" in str(error)
        await running.reach("0:0", time.monotonic() + 30)
        await log.write("t-1", "A", 2, {"a": 2})
        again = Client(live, "t-1", "")
        await settle(running, log, [again])
        await again.stop()


async def test_rows_that_a_filter_of_the_manifest_hides_are_gone_for_watchers(tmp_path: Path) -> None:
    log = await Log.begin()
    await log.write("t-1", "A", 1, {"a": 30})
    await log.write("t-1", "A", 2, {"a": 30})
    async with lively(tmp_path, log, ProjectionConfig(where="a > 20")) as (running, live):
        client = Client(live, "t-1", "a > 0")
        await settle(running, log, [client])
        await log.write("t-1", "A", 1, {"a": 10})
        await settle(running, log, [client])
        await client.stop()
        await log.write("t-1", "A", 2, {"a": 10})
        await running.reach(await log.write("t-1", "A", 1, {"a": 40}), time.monotonic() + 30)
        await client.resume()
        await settle(running, log, [client])
        assert client.folded.kinds[-3:] == ["changed", "no_longer_matching", "caught_up"]
        assert client.folded.lags == 0
        await client.stop()


async def test_a_tenant_that_is_not_held_here_is_not_told_that_it_has_nothing(tmp_path: Path) -> None:
    log = await Log.begin()
    await log.write("t-1", "A", 1, {"a": 1})
    async with projection(tmp_path, log.stream, await programs_on(log.stream), wanted=lambda tenant: tenant != "t-1") as running:
        live = LiveQueries(running)
        client = QueryClient(running, live=live)
        for watch in (client.watch, client.live):
            with pytest.raises(Unavailable):
                watch(TenantId("t-1"))
        await live.close()
