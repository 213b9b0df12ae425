"""The projection on disk: exactly once whatever kills it, rebuilt beside, begun anew on damage and on another log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aggregate.config.manifest import Projection as ProjectionConfig
from aggregate.errors import ConfigError, DeadlineExceeded, Unavailable
from aggregate.query.client import QueryClient
from aggregate.query.definitions import Definitions
from aggregate.query.interface import Transaction
from aggregate.stream import StreamClient
from aggregate.testing.memory_stream import MemoryStream
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateKey, AggregateType, TenantId
from tests.query.documents import SOURCE, Log, aggregate_id, programs_on, projection, reach_end, set_aside, stores
from tests.stream.waiting import eventually

T1 = TenantId("t-1")
KEY = AggregateKey(T1, AggregateType("A"), aggregate_id(1))


@pytest.fixture
async def nats() -> AsyncIterator[EmbeddedNats]:
    async with EmbeddedNats() as server:
        yield server


async def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = await Log.begin()
    await log.write("t-1", "A", 1, {"a": 1})
    programs = await programs_on(log.stream)
    async with projection(tmp_path, log.stream, programs) as running:
        await reach_end(running, log)
    await log.write("t-1", "A", 1, {"a": 2})
    await log.write("t-1", "A", 2, {"a": 3})
    async with projection(tmp_path, log.stream, programs) as running:
        await reach_end(running, log)
        row, _ = await running.view(T1, lambda view: view.row(KEY))
        assert row is not None
        assert (row.version, row.state) == (2, {"a": 2})


async def test_listeners_get_what_readers_see_before_and_after(tmp_path: Path) -> None:
    log = await Log.begin(projection=ProjectionConfig(where="a > 0", indexes=("a",)))
    await log.write("t-1", "A", 1, {"a": 0})
    programs = await programs_on(log.stream, projection=ProjectionConfig(where="a > 0", indexes=("a",)))
    heard = _Heard()
    async with projection(tmp_path, log.stream, programs) as running:
        await reach_end(running, log)
        running.listen(heard)
        for value in ({"a": 1}, {"a": 2}, {"a": 0}, {"a": 0, "b": 1}, {"a": 3}, None):
            await log.write("t-1", "A", 1, value)
            await reach_end(running, log)
    states = [(c.before and c.before.state, c.after and c.after.state) for t in heard.told for c in t.changes.get(T1, ())]
    assert states == [(None, {"a": 1}), ({"a": 1}, {"a": 2}), ({"a": 2}, None), (None, {"a": 3}), ({"a": 3}, None)]
    positions = [log.stream.sequence(each.position) for each in heard.told]
    assert positions == sorted(positions)


class _Heard:
    """A listener."""

    def __init__(self) -> None:
        self.told: list[Transaction] = []
        self.replacements = 0

    def committed(self, transaction: Transaction) -> None:
        self.told.append(transaction)

    def replaced(self) -> None:
        self.replacements += 1

    def stopped(self) -> None:
        pass


async def test_a_changed_definition_is_built_beside_and_swapped_in(tmp_path: Path) -> None:
    log = await Log.begin()
    for number in range(20):
        await log.write("t-1", "A", number, {"a": number, "b": -number})
    async with projection(tmp_path, log.stream, await programs_on(log.stream)) as running:
        await reach_end(running, log)
    other = await programs_on(log.stream, projection=ProjectionConfig(indexes=("b",), fields=("b", "o.x")))
    waiting = _Held(log.stream)
    async with projection(tmp_path, waiting, other) as running:
        heard = _Heard()
        running.listen(heard)
        client = QueryClient(running)
        await eventually(lambda: running.status().serving and running.status().building)
        before = await client.query("t-1", "a == 3", explain=True)
        assert [row.state for row in before] == [{"a": 3, "b": -3}]
        assert before.explanation is not None
        assert before.explanation.index == "a"
        waiting.go.set()
        await eventually(lambda: not running.status().building)
        after = await client.query("t-1", "b == -3", explain=True)
        assert [row.state for row in after] == [{"b": -3, "o": {"x": None}}]
        assert after.explanation is not None
        assert after.explanation.index == "b"
        assert heard.replacements == 1
    assert len(stores(tmp_path)) == 1


class _Held(MemoryStream):
    """A log that hands nothing out until it is told to."""

    def __init__(self, stream: object) -> None:
        self.__dict__.update(vars(stream))
        self.go = asyncio.Event()

    def subscribe(self, subjects, *, after):  # type: ignore[no-untyped-def]
        inner, go = super().subscribe(subjects, after=after), self.go

        class Later(type(inner)):  # type: ignore[misc]
            async def __anext__(self):  # type: ignore[no-untyped-def]
                await go.wait()
                return await super().__anext__()

        inner.__class__ = Later
        return inner


async def test_a_damaged_store_is_set_aside_and_built_anew(tmp_path: Path) -> None:
    log = await Log.begin()
    for number in range(50):
        await log.write("t-1", "A", number, {"a": number})
    programs = await programs_on(log.stream)
    async with projection(tmp_path, log.stream, programs) as running:
        await reach_end(running, log)
    (store,) = stores(tmp_path)
    data = store / "data.mdb"
    raw = bytearray(data.read_bytes())
    for page in range(2, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    data.write_bytes(raw)
    async with projection(tmp_path, log.stream, programs, check=True) as running:
        await reach_end(running, log)
        assert len((await QueryClient(running).query("t-1", "a >= 0", limit=100)).rows) == 50
    assert set_aside(tmp_path)


async def test_another_log_is_projected_anew(tmp_path: Path) -> None:
    log = await Log.begin()
    for number in range(5):
        await log.write("t-1", "A", number, {"a": number})
    programs = await programs_on(log.stream)
    async with projection(tmp_path, log.stream, programs) as running:
        await reach_end(running, log)
    other = await Log.begin()
    for number in range(9):
        await other.write("t-1", "A", number, {"a": 10 + number})
    async with projection(tmp_path, other.stream, programs) as running:
        await reach_end(running, other)
        rows = await QueryClient(running).query("t-1", order_by=["a"])
        assert [row.state["a"] for row in rows] == list(range(10, 19))
    assert set_aside(tmp_path)


async def test_a_log_replaced_under_way_is_projected_anew(tmp_path: Path) -> None:
    log = await Log.begin()
    await log.write("t-1", "A", 1, {"a": 1})
    async with projection(tmp_path, log.stream, await programs_on(log.stream)) as running:
        await reach_end(running, log)
        running.begin_anew("for a test")
        await reach_end(running, log)
        await eventually(lambda: running.status().serving)
        assert len(await QueryClient(running).query("t-1")) == 1
    assert set_aside(tmp_path)


async def test_a_newer_program_stops_it_and_it_says_so(tmp_path: Path) -> None:
    log = await Log.begin()
    await log.write("t-1", "A", 1, {"a": 1})
    old = await programs_on(log.stream)
    newer = await Log.begin(log.stream, source=SOURCE + "\n# newer\n")
    position = await newer.write("t-1", "A", 1, {"a": 2})
    async with projection(tmp_path, log.stream, old) as running:
        with pytest.raises(DeadlineExceeded, match="newer program"):
            await running.reach(position, time.monotonic() + 1)
        assert "newer program" in running.status().trouble


async def test_a_history_that_cannot_be_folded_hides_its_aggregate_alone(tmp_path: Path) -> None:
    log = await Log.begin()
    await log.write("t-1", "A", 1, {"a": 1})
    await log.write("t-1", "A", 2, {"a": 2})
    failing = SOURCE.replace("return event.value", "return event.value if event.value.a != 1 else event.nothing")
    programs = await programs_on(log.stream, source=failing)
    async with projection(tmp_path, log.stream, programs) as running:
        await reach_end(running, log)
        assert [row.state for row in await QueryClient(running).query("t-1")] == [{"a": 2}]
        assert running.status().failed == 1
        assert "1 aggregates cannot be projected" in str(running.status())


async def test_only_the_tenants_that_are_held_are_kept(tmp_path: Path) -> None:
    log = await Log.begin()
    await log.write("t-1", "A", 1, {"a": 1})
    await log.write("t-2", "A", 1, {"a": 1})
    async with projection(tmp_path, log.stream, await programs_on(log.stream), wanted=lambda tenant: tenant == T1) as running:
        await reach_end(running, log)
        assert len(await QueryClient(running).query("t-1")) == 1
        with pytest.raises(Unavailable, match="not kept here"):
            await QueryClient(running).query("t-2")


async def test_refusals_and_other_messages_move_the_position_alone(tmp_path: Path) -> None:
    log = await Log.begin()
    position = await log.write("t-1", "A", 1, {"a": 1})
    async with projection(tmp_path, log.stream, await programs_on(log.stream)) as running:
        await reach_end(running, log)
        nothing = await log.write("t-1", "A", 1, None, command="nothing")
        await running.reach(nothing, time.monotonic() + 10)
        row, at = await running.view(T1, lambda view: view.row(KEY))
        assert row is not None
        assert row.position == position
        assert log.stream.sequence(at) >= log.stream.sequence(nothing)


async def test_a_position_that_no_message_of_ours_stands_at_is_reached_by_a_mark(nats: EmbeddedNats, tmp_path: Path) -> None:
    stream = await StreamClient.connect([nats.url], claims_owners=True)
    log = await Log.begin(stream)
    await log.write("t-1", "A", 1, {"a": 1})
    async with projection(tmp_path, stream, await programs_on(stream)) as running:
        await reach_end(running, log)
        beyond = stream.position(log.history[-1][0] + 3)
        with pytest.raises(DeadlineExceeded):
            await running.reach(stream.position(10_000), time.monotonic() + 0.2)
        assert await stream.confirm("owner.x", 0) in {True, False}
        await running.reach(stream.position(stream.sequence(beyond) - 2), time.monotonic() + 10)
    await stream.close()


def test_mistakes_of_a_definition_are_found_at_once() -> None:
    async def made() -> None:
        config = ProjectionConfig(where="a >", fields=("a",), indexes=("a", "b"))
        Definitions.of(await programs_on(MemoryStream(), projection=config, types=("A",)))

    with pytest.raises(ConfigError) as raised:
        asyncio.run(made())
    assert [mistake.place for mistake in raised.value.mistakes] == ["A: projection.where", "A: projection.indexes"]
