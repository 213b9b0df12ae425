"""A projection has the rows of the tenants that it is meant to have, when those become others too."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aggregate.config.manifest import Projection as ProjectionConfig
from aggregate.errors import Unavailable
from aggregate.query import holdings, tenancy
from aggregate.query.client import QueryClient
from aggregate.query.interface import Answer, Query
from aggregate.query.projection import Projection
from aggregate.types import TenantId
from aggregate.types.queries import MAX_LIMIT
from tests.query.documents import Log, contents, programs_on, projection, reach_end
from tests.stream.waiting import eventually

TENANTS = ("t-1", "t-2", "t-3", "t-4")


class Wanting:
    """Which tenants are wanted: a placement."""

    def __init__(self, *tenants: str) -> None:
        self.tenants = set(map(TenantId, tenants))

    def __call__(self, tenant_id: TenantId) -> bool:
        return tenant_id in self.tenants

    def change(self, running: Projection, *tenants: str) -> None:
        self.tenants = set(map(TenantId, tenants))
        running.tenants_changed()


async def write(log: Log, chance: random.Random, count: int) -> None:
    """Some commands of all tenants."""
    for _ in range(count):
        value = chance.choice([None, {"a": chance.randrange(100)}, {"a": chance.randrange(100), "o": {"x": "y"}}])
        await log.write(chance.choice(TENANTS), chance.choice("AB"), chance.randrange(6), value)


async def rows(log: Log, running: Projection, tenant: str) -> None:
    """Queries give what the tenant's rows are by the log, as of their position: read row by row, and by an index."""
    end = log.stream.position(log.history[-1][0])
    for query in (Query(limit=MAX_LIMIT, min_position=end), Query("a >= 0", limit=MAX_LIMIT)):
        answer = await ask(running, tenant, query)
        found = {(row.aggregate_type, row.aggregate_id): (row.version, row.state) for row in answer}
        states = log.states(tenant, answer.position)
        assert found == {(key.aggregate_type, key.aggregate_id): state for key, state in states.items()}


async def ask(running: Projection, tenant: str, query: Query) -> Answer:
    """The answer, as soon as the tenant's rows are there."""
    client = QueryClient(running, timeout=30)
    async with asyncio.timeout(30):
        while True:
            with suppress_building():
                return await client.find(TenantId(tenant), query)
            await asyncio.sleep(0.001)


@contextmanager
def suppress_building() -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        if error.reason != "projection_building":
            raise


def of_tenant(folder: Path, tenant: str) -> int:
    """Entries that are kept of a tenant's aggregates."""
    return sum(1 for key in contents(folder) if not key.startswith(b"t") and f"{tenant}\0".encode() in key)


async def refused(running: Projection, tenant: str) -> None:
    with pytest.raises(Unavailable) as caught:
        await QueryClient(running).query(tenant)
    assert caught.value.reason == "not_held"


async def test_one_that_has_gone_is_removed_and_one_that_comes_is_caught_up_with_before_it_is_answered(tmp_path: Path) -> None:
    chance = random.Random(1)
    log = await Log.begin()
    await write(log, chance, 60)
    wanting = Wanting("t-1", "t-2")
    async with projection(tmp_path, log.stream, await programs_on(log.stream), wanted=wanting) as running:
        await reach_end(running, log)
        await rows(log, running, "t-1")
        await refused(running, "t-3")
        wanting.change(running, "t-2", "t-3")
        with pytest.raises(Unavailable) as caught:  # it is known to be new at once, before anything was read
            await QueryClient(running).query("t-3")
        assert caught.value.reason == "projection_building"
        assert running.status().coming == 1
        assert "making the rows of 1 tenants that came" in str(running.status())
        await refused(running, "t-1")
        await rows(log, running, "t-3")
        await write(log, chance, 30)
        for tenant in ("t-2", "t-3"):
            await rows(log, running, tenant)
        assert running.status().coming == 0
    assert (of_tenant(tmp_path, "t-1"), of_tenant(tmp_path, "t-4")) == (0, 0)
    assert of_tenant(tmp_path, "t-3") > 0


async def test_what_has_changed_while_the_node_was_down_is_made_good(tmp_path: Path) -> None:
    chance = random.Random(2)
    log = await Log.begin()
    await write(log, chance, 40)
    programs = await programs_on(log.stream)
    async with projection(tmp_path, log.stream, programs, wanted=Wanting("t-1", "t-2")) as running:
        await reach_end(running, log)
    await write(log, chance, 10)
    async with projection(tmp_path, log.stream, programs, wanted=Wanting("t-2", "t-4")) as running:
        for tenant in ("t-2", "t-4"):
            await rows(log, running, tenant)
        await eventually(lambda: running.status().coming == 0)
    assert of_tenant(tmp_path, "t-1") == 0


async def test_it_goes_on_where_it_was_stopped_at_any_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped and started while tenants come and go, in small steps: rows are those of the log, once."""
    monkeypatch.setattr(holdings, "ERASED_AT_ONCE", 3)
    monkeypatch.setattr("aggregate.query.following.MOST_MESSAGES", 4)
    chance = random.Random(3)
    log = await Log.begin()
    await write(log, chance, 100)
    programs = await programs_on(log.stream)
    wanting = Wanting(*TENANTS)
    for _ in range(25):
        async with projection(tmp_path, log.stream, programs, wanted=wanting) as running:
            wanting.change(running, *chance.sample(TENANTS, 2))
            writing = asyncio.create_task(write(log, chance, 4))
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(0)
            await asyncio.sleep(chance.uniform(0, 0.01))
            await writing
    async with projection(tmp_path, log.stream, programs, wanted=wanting) as running:
        for tenant in wanting.tenants:
            await rows(log, running, tenant)
        assert running.status().failed == 0
        wanting.change(running)
        store = running._stores.served
        assert store is not None
        await eventually(lambda: not store.holdings._standing or set(store.holdings._standing.values()) == {holdings.AWAY})
    assert sum(of_tenant(tmp_path, tenant) for tenant in TENANTS) == 0


@pytest.mark.parametrize("seed", range(3))
async def test_rows_are_those_of_the_log_while_tenants_come_and_go_and_all_write(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    log = await Log.begin()
    await write(log, chance, 50)
    wanting = Wanting(*TENANTS[:2])
    async with projection(tmp_path, log.stream, await programs_on(log.stream), wanted=wanting) as running:
        await running.reach("0:0", time.monotonic() + 30)
        for _ in range(12):
            wanting.change(running, *chance.sample(TENANTS, chance.randint(1, 4)))
            writing = asyncio.create_task(write(log, chance, 20))
            for tenant in wanting.tenants:
                await rows(log, running, tenant)
            await writing
        for tenant in wanting.tenants:
            await rows(log, running, tenant)
        assert running.status().failed == 0
    for tenant in set(TENANTS) - wanting.tenants:
        assert of_tenant(tmp_path, tenant) == 0


async def test_more_tenants_than_are_caught_up_with_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenancy, "TOGETHER", 2)
    log = await Log.begin()
    await write(log, random.Random(4), 60)
    wanting = Wanting()
    async with projection(tmp_path, log.stream, await programs_on(log.stream), wanted=wanting) as running:
        await reach_end(running, log)
        wanting.change(running, *TENANTS)
        for tenant in TENANTS:
            await rows(log, running, tenant)


async def test_a_rebuild_beside_has_the_tenants_of_then(tmp_path: Path) -> None:
    chance = random.Random(5)
    log = await Log.begin()
    await write(log, chance, 50)
    async with projection(tmp_path, log.stream, await programs_on(log.stream), wanted=Wanting("t-1")) as running:
        await reach_end(running, log)
    other = await programs_on(log.stream, projection=ProjectionConfig(indexes=("a",), where="True"))
    wanting = Wanting("t-2")
    async with projection(tmp_path, log.stream, other, wanted=wanting) as running:
        wanting.change(running, "t-2", "t-3")
        for tenant in ("t-2", "t-3"):
            await rows(log, running, tenant)
    assert of_tenant(tmp_path, "t-1") == 0


async def test_the_rest_does_not_wait_for_a_tenant_that_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the log does not answer for one that comes, the rows of the others go on."""
    log = await Log.begin()
    await write(log, random.Random(6), 40)
    wanting = Wanting("t-1")
    async with projection(tmp_path, log.stream, await programs_on(log.stream), wanted=wanting) as running:
        await reach_end(running, log)
        go = asyncio.Event()
        reading: Callable[..., object] = tenancy._Reading.to_the_end

        async def waiting(self: tenancy._Reading):  # type: ignore[no-untyped-def]
            await go.wait()
            async for each in reading(self):  # type: ignore[attr-defined]
                yield each

        monkeypatch.setattr(tenancy._Reading, "to_the_end", waiting)
        wanting.change(running, "t-1", "t-2")
        await log.write("t-1", "A", 1, {"a": 1})
        await rows(log, running, "t-1")
        with pytest.raises(Unavailable, match="are being made"):
            await QueryClient(running).query("t-2")
        go.set()
        await rows(log, running, "t-2")
