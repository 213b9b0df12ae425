"""The projection on disk: exactly once whatever kills it, rebuilt beside, begun anew on damage and on another log."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import lmdb
import pytest

from aggregate.config.manifest import Projection as ProjectionConfig
from aggregate.errors import ConfigError, DeadlineExceeded, Unavailable, ValidationError
from aggregate.query.client import QueryClient
from aggregate.query.definitions import Definitions
from aggregate.query.interface import Query, Transaction
from aggregate.query.projection import Projection
from aggregate.stream import StreamClient
from aggregate.testing.memory_stream import MemoryStream
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateKey, AggregateType, TenantId
from tests.query.documents import SOURCE, Log, aggregate_id, programs_on, projection, queries
from tests.stream.waiting import eventually

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("AGGREGATE_KILLS", "4"))
T1 = TenantId("t-1")
KEY = AggregateKey(T1, AggregateType("A"), aggregate_id(1))


def contents(folder: Path) -> dict[bytes, bytes]:
    """All of a store but how far it is."""
    (store,) = stores(folder)
    with lmdb.open(str(store), readonly=True, lock=False) as env, env.begin() as transaction:
        return {key: value for key, value in transaction.cursor() if not key.startswith(b"m")}


def stores(folder: Path) -> list[Path]:
    """The stores that are there, whatever was set aside."""
    return [each for each in folder.iterdir() if ".aside-" not in each.name]


def set_aside(folder: Path) -> list[Path]:
    """What was set aside."""
    return [each for each in folder.iterdir() if ".aside-" in each.name]


async def reach_end(running: Projection, log: Log) -> None:
    """Wait until it has everything."""
    await running.reach(log.stream.position(log.history[-1][0]), time.monotonic() + 60)


@pytest.fixture
async def nats() -> AsyncIterator[EmbeddedNats]:
    async with EmbeddedNats() as server:
        yield server


async def test_killed_at_any_point_it_is_what_a_rebuild_makes(nats: EmbeddedNats, tmp_path: Path) -> None:
    stream = await StreamClient.connect([nats.url], claims_owners=False)
    log = await Log.begin(stream)
    numbers = random.Random(5)
    writes = [("t-1" if n % 3 else "t-2", "AB"[n % 2], numbers.randrange(40), {"a": n, "o": {"x": str(n % 7)}}) for n in range(600)]
    for at in range(0, len(writes), 50):
        await asyncio.gather(*(log.write(*write) for write in writes[at : at + 50]))
    for _ in range(KILLS):
        await _follow_and_kill(nats.url, tmp_path / "killed", numbers.randrange(1, 4))
    programs = await programs_on(stream)
    for name in ("killed", "rebuilt"):
        async with projection(tmp_path / name, stream, programs) as running:
            await reach_end(running, log)
    await stream.close()
    assert contents(tmp_path / "killed") == contents(tmp_path / "rebuilt")
    assert len(contents(tmp_path / "rebuilt")) > 100


async def _follow_and_kill(url: str, folder: Path, transactions: int) -> None:
    """Run a process that projects, and kill it after some transactions, or while it does nothing any more."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.query.follow", url, str(folder), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        for _ in range(transactions):
            try:
                assert await asyncio.wait_for(process.stdout.readline(), 15)
            except TimeoutError:
                break
        await asyncio.sleep(random.uniform(0, 0.01))
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


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
        row, _ = await running.view(lambda view: view.row(KEY))
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
    async with projection(tmp_path, log.stream, await programs_on(log.stream), held=lambda tenant: tenant == T1) as running:
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
        row, at = await running.view(lambda view: view.row(KEY))
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


@asynccontextmanager
async def small(tmp_path: Path) -> AsyncIterator[QueryClient]:
    """Ten rows, numbered."""
    log = await Log.begin()
    for number in range(10):
        await log.write("t-1", "A", number, {"a": number})
        await log.write("t-2", "A", number, {"a": number})
    async with queries(tmp_path, log) as client:
        yield client


async def test_tokens_are_of_their_query_and_tenant_alone(tmp_path: Path) -> None:
    async with small(tmp_path) as client:
        page = await client.query("t-1", "a > 2", limit=2)
        token = page.next_page_token
        assert token
        assert (await client.query("t-1", "a > 2", limit=5, page_token=token))[0].state == {"a": 5}
        others: list[tuple[str, str, dict[str, Any]]] = [
            ("t-2", "a > 2", {}),
            ("t-1", "a > 3", {}),
            ("t-1", "a > 2", {"order_by": ["a"]}),
            ("t-1", "a > 2", {"aggregate_type": AggregateType("A")}),
        ]
        for tenant, text, options in others:
            with pytest.raises(ValidationError, match="page_token: it belongs to another query"):
                await client.query(tenant, text, page_token=token, **options)
        tampered = [token[:-1] + ("A" if token[-1] != "A" else "B"), "A" + token[1:], token[:-4], token + "AAAA", "x", "é", token + "="]
        for each in tampered:
            with pytest.raises(ValidationError, match="page_token: "):
                await client.query("t-1", "a > 2", page_token=each)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (Query("a >"), "filter"),
        (Query("nofunction(a)"), "filter"),
        (Query(limit=0), "limit"),
        (Query(limit=1001), "limit"),
        (Query(aggregate_type=AggregateType("Other")), "aggregate_type"),
        (Query(page_token="x"), "page_token"),
        (Query(group_by=("a..b",)), "group_by"),
        (Query(min_position="x"), "position"),
    ],
)
async def test_mistakes_of_a_query_name_their_field(tmp_path: Path, query: Query, field: str) -> None:
    async with small(tmp_path) as client:
        with pytest.raises(ValidationError) as raised:
            await client.find(T1, query)
        assert raised.value.field == field


async def test_filter_mistakes_show_their_place(tmp_path: Path) -> None:
    async with small(tmp_path) as client:
        with pytest.raises(ValidationError) as raised:
            await client.query("t-1", "a > 1 and\nb >> 2")
        assert "filter:2:3" in str(raised.value)
        assert "^" in str(raised.value)


async def test_gas_and_time_are_bounds(tmp_path: Path) -> None:
    async with small(tmp_path) as client:
        poor = QueryClient(client.projection, gas=10)
        with pytest.raises(Exception, match="gas"):
            await poor.query("t-1", "b > 2")
        with pytest.raises(DeadlineExceeded):
            await client.find(T1, Query("b > 2"), deadline=time.monotonic() - 1)


async def test_errors_of_rows_are_counted_and_the_first_told(tmp_path: Path) -> None:
    async with small(tmp_path) as client:
        answer = await client.query("t-1", "a.b == 1", explain=True)
        assert (len(answer), answer.explanation and answer.explanation.errors) == (0, 10)
        assert answer.explanation is not None
        assert '"code":"type"' in answer.explanation.first_error


@pytest.mark.parametrize(
    ("text", "order", "index", "rows"),
    [
        ("a == 3", (), "a", 1),
        ("a in [1, 2, 30]", (), "a", 2),
        ("a > 2 and a < 5", (), "a", 2),
        ("3 <= a and a <= 5 and b == None", (), "a", 3),
        ('o.x.startswith("z")', (), "o.x", 0),
        ("b == 3", (), "", 10),
        ("a == 3 or b == 3", (), "", 10),
        ("", ("-a",), "a", 10),
    ],
)
async def test_the_planner_takes_the_index_that_helps(tmp_path: Path, text: str, order: tuple[str, ...], index: str, rows: int) -> None:
    async with small(tmp_path) as client:
        answer = await client.query("t-1", text, order_by=order, explain=True, aggregate_type=AggregateType("A"))
        assert answer.explanation is not None
        assert (answer.explanation.index, answer.explanation.rows_read) == (index, rows)
