"""Live queries over the projection's twin in memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate.errors import AggregateError, Unavailable, ValidationError
from aggregate.query import live as live_module
from aggregate.query import watched_tenant as watched_tenant_module
from aggregate.query import watcher as watcher_module
from aggregate.query.live import LiveQueries
from aggregate.testing.memory_projection import MemoryProjection, account_key
from aggregate.types import AggregateType, TenantId

from .watching import Client, View, view_of

ACME = TenantId("acme")


@pytest.fixture
def projection() -> MemoryProjection:
    return MemoryProjection(["Account", "Order"])


@pytest.fixture
async def live(projection: MemoryProjection) -> AsyncIterator[LiveQueries]:
    made = LiveQueries(projection)
    yield made
    await made.close()


def put(projection: MemoryProjection, number: int, balance: Any, tenant: str = "acme", **more: Any) -> str:
    return projection.commit([(account_key(tenant, number), None if balance is None else {"balance": balance, **more})])


def above(projection: MemoryProjection, bound: int, tenant: str = "acme") -> View:
    return view_of(row for row in projection.rows(TenantId(tenant)) if row.document.value["balance"] > bound)


async def test_first_come_the_rows_that_match_then_what_changes(projection: MemoryProjection, live: LiveQueries) -> None:
    put(projection, 1, 100)
    put(projection, 2, 10)
    client = Client(live, "acme", "balance > 50", "Account")
    await client.until(lambda folded: folded.caught_up)
    put(projection, 2, 60)
    put(projection, 1, 70)
    put(projection, 3, 5)
    put(projection, 1, 50)
    put(projection, 2, None)
    put(projection, 4, 51)
    await client.until_view(above(projection, 50))
    assert client.folded.kinds == ["row", "caught_up", "added", "changed", "no_longer_matching", "no_longer_matching", "added"]
    await client.stop()
    assert (live.watchers, live.questions) == (0, 0)


async def test_a_row_that_is_gone_is_told_as_it_was_and_one_that_is_there_as_it_is(projection: MemoryProjection, live: LiveQueries) -> None:
    put(projection, 1, 100)
    put(projection, 2, 100)
    told = []
    async with live.live(ACME, "balance > 50") as watcher:
        while len(told) < 3:
            told += (await watcher.next()).events
        put(projection, 1, 20)
        put(projection, 2, None)
        while len(told) < 5:
            told += (await watcher.next()).events
    assert [event.row.document.value["balance"] for event in told[3:] if event.row] == [20, 100]


async def test_several_changes_of_one_transaction_have_one_token_at_their_end(projection: MemoryProjection, live: LiveQueries) -> None:
    async with live.live(ACME) as watcher:
        assert [event.kind for event in (await watcher.next()).events] == ["caught_up"]
        position = projection.commit([(account_key("acme", number), {"balance": number}) for number in range(3)])
        told = await watcher.next()
    assert [bool(event.resume_token) for event in told.events] == [False, False, True]
    assert told.sequence == int(position.split(":")[1])


async def test_nothing_falls_between_the_first_rows_and_the_changes(projection: MemoryProjection, live: LiveQueries) -> None:
    for number in range(300):
        put(projection, number, number)
    clients = []
    for number in range(60):  # writes go on while they read
        clients.append(Client(live, "acme", f"balance > {number % 3 * 100}"))
        put(projection, number * 5, 1000 - number)
        await asyncio.sleep(0)
    for number, client in enumerate(clients):
        await client.until_view(above(projection, number % 3 * 100))
        assert client.folded.lags == 0
        await client.stop()


async def test_a_change_is_looked_at_once_for_all_who_watch_the_same(projection: MemoryProjection, live: LiveQueries) -> None:
    put(projection, 0, 1)
    clients = [Client(live, "acme", "balance > 50") for _ in range(50)]
    await asyncio.gather(*(client.until(lambda folded: folded.caught_up) for client in clients))
    assert projection.readings == 1, "they share the first rows too"
    put(projection, 1, 60)
    await asyncio.gather(*(client.until(lambda folded: len(folded.rows) == 1) for client in clients))
    assert (live.counts.evaluations, live.counts.events) == (1, 50)
    for client in clients:
        await client.stop()


async def test_tenants_and_types_are_apart(projection: MemoryProjection, live: LiveQueries) -> None:
    put(projection, 1, 100)
    put(projection, 1, 7, tenant="other")
    projection.commit([(account_key("acme", 9, "Order"), {"balance": 9})])
    mine, accounts, theirs = Client(live, "acme", ""), Client(live, "acme", "", "Account"), Client(live, "other", "")
    for client in (mine, accounts, theirs):
        await client.until(lambda folded: folded.caught_up)
    put(projection, 2, 8, tenant="other")
    projection.commit([(account_key("acme", 10, "Order"), {"balance": 9}), (account_key("acme", 3), {"balance": 1})])
    await mine.until_view(view_of(projection.rows(ACME)))
    await accounts.until_view(view_of(projection.rows(ACME, AggregateType("Account"))))
    await theirs.until_view(view_of(projection.rows(TenantId("other"))))
    assert len(mine.folded.rows) == 4
    for client in (mine, accounts, theirs):
        await client.stop()


async def test_many_watchers_of_one_tenant_hold_no_other_up(
    projection: MemoryProjection, live: LiveQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_tenant_module, "REST", 3600.0)
    many, one = [Client(live, "acme", "") for _ in range(20)], Client(live, "other", "")
    for client in (*many, one):
        await client.until(lambda folded: folded.caught_up)
    put(projection, 1, 1)
    put(projection, 1, 1, tenant="other")
    await one.until(lambda folded: len(folded.rows) == 1)
    assert sum(len(client.folded.rows) for client in many) < len(many), "they are being told, a few at a time"
    for client in (*many, one):
        await client.stop()


async def test_a_filter_sees_meta_and_a_row_it_fails_on_does_not_match(projection: MemoryProjection, live: LiveQueries) -> None:
    put(projection, 1, 100)
    put(projection, 2, "much")
    meta = Client(live, "acme", 'meta.tenant_id == "acme" and meta.type == "Account" and meta.version >= 2')
    failing = Client(live, "acme", "balance + 1 > 50")
    await meta.until(lambda folded: folded.caught_up)
    await failing.until(lambda folded: folded.caught_up and len(folded.rows) == 1)
    put(projection, 2, 3)
    await meta.until(lambda folded: len(folded.rows) == 1)
    await meta.stop()
    await failing.stop()


@pytest.mark.parametrize(
    ("text", "words"),
    [("balance >", "1:10: error[syntax]"), ("balance > 1 and\nmissing(2)", "2:1: error"), ("x" * 9000, "at most 8192 bytes")],
)
async def test_a_wrong_filter_is_shown_where(live: LiveQueries, text: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        async with live.live(ACME, text):
            pass
    assert caught.value.field == "filter"
    assert words in caught.value.description
    assert "error" not in words or caught.value.description.endswith("^") or "more)" in caught.value.description
    assert live.questions == 0


async def test_a_type_that_is_not_projected_is_refused(live: LiveQueries) -> None:
    with pytest.raises(ValidationError) as caught:
        async with live.live(ACME, aggregate_type=AggregateType("Nothing")):
            pass
    assert caught.value.field == "aggregate_type"


class TestResuming:
    async def test_what_changed_since_is_told_whether_it_matches_or_not(self, projection: MemoryProjection, live: LiveQueries) -> None:
        for number in range(6):
            put(projection, number, 100)
        client = Client(live, "acme", "balance > 50")
        await client.until(lambda folded: folded.caught_up)
        await client.stop()
        put(projection, 0, 10)
        put(projection, 1, 200)
        put(projection, 2, None)
        put(projection, 7, 70)
        put(projection, 8, 7)
        await client.resume()
        await client.until_view(above(projection, 50))
        assert sorted(client.folded.kinds[7:-1]) == ["changed"] * 2 + ["no_longer_matching"] * 3
        assert client.folded.lags == 0
        put(projection, 0, 51)
        await client.until_view(above(projection, 50))
        assert client.folded.kinds[-1] == "added"
        await client.stop()

    async def test_a_token_of_another_question_or_tenant_or_a_changed_one_is_refused(
        self, projection: MemoryProjection, live: LiveQueries
    ) -> None:
        put(projection, 0, 100)
        client = Client(live, "acme", "balance > 50", "Account")
        await client.until(lambda folded: folded.caught_up)
        await client.stop()
        token = client.folded.token
        account = AggregateType("Account")
        questions: list[tuple[str, str, AggregateType | None, str]] = [
            ("other", "balance > 50", account, token),
            ("acme", "balance > 51", account, token),
            ("acme", "balance > 50", None, token),
            ("acme", "balance > 50", account, "0:1"),
            ("acme", "balance > 50", account, "ä"),
            ("acme", "balance > 50", account, token + "A"),
        ]
        questions += [
            ("acme", "balance > 50", account, token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :])
            for index in range(len(token))
        ]
        for tenant, text, kind, given_token in questions:
            with pytest.raises(ValidationError) as caught:
                async with live.live(TenantId(tenant), text, aggregate_type=kind, resume_token=given_token):
                    pass
            assert caught.value.field == "resume_token"
        async with live.live(ACME, "balance > 50", aggregate_type=account, resume_token=token) as watcher:
            assert [event.kind for event in (await watcher.next()).events] == ["caught_up"]

    @pytest.mark.parametrize("how", ["another projection", "no longer kept", "too many", "behind"])
    async def test_where_nobody_knows_what_changed_it_begins_anew(
        self, projection: MemoryProjection, live: LiveQueries, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(projection, 0, 100)
        client = Client(live, "acme", "balance > 50")
        await client.until(lambda folded: folded.caught_up)
        put(projection, 1, 100)
        await client.until(lambda folded: len(folded.rows) == 2)
        await client.stop()
        put(projection, 2, 100)
        put(projection, 3, 100)
        match how:
            case "another projection":
                projection.replace("second", lambda row: {"balance": row.document.value["balance"] - 60 + int(row.version)})
            case "no longer kept":
                projection.kept_from = 3
            case "too many":
                monkeypatch.setattr(watcher_module, "MOST_RESUMED", 1)
            case "behind":
                monkeypatch.setattr(watcher_module, "REACH", 0.01)
                projection._sequence = 1
        await client.resume()
        await client.until(lambda folded: folded.lags == 1)
        await client.until_view(above(projection, 50))
        await client.stop()

    async def test_a_projection_that_is_a_little_behind_the_token_is_waited_for(self, projection: MemoryProjection) -> None:
        ahead = MemoryProjection()
        one, other = LiveQueries(ahead), LiveQueries(projection)
        put(ahead, 0, 100)
        put(projection, 0, 100)
        put(ahead, 1, 100)
        client = Client(one, "acme", "balance > 50")
        await client.until(lambda folded: folded.caught_up)
        client._live = other  # another node
        await client.resume()
        await asyncio.sleep(0)
        put(projection, 1, 100)
        await client.until_view(above(projection, 50))
        assert client.folded.lags == 0
        put(projection, 2, 300)
        await client.until_view(above(projection, 50))
        await client.stop()
        await one.close()
        await other.close()


class TestSlowWatchers:
    async def test_one_that_is_too_slow_lags_and_reads_anew(self, projection: MemoryProjection) -> None:
        live = LiveQueries(projection, buffer_bytes=20_000)
        slow, quick = Client(live, "acme", "balance > 50"), Client(live, "acme", "balance > 50")
        for client in (slow, quick):
            await client.until(lambda folded: folded.caught_up)
        slow.pace.clear()
        most = 0
        for number in range(500):
            put(projection, number % 20, number, note="x" * 100)
            await asyncio.sleep(0)
            (watched,) = live._tenants[ACME].questions.values()
            most = max(most, *(watcher._bytes for watcher in watched.watchers))  # type: ignore[attr-defined]
        await quick.until_view(above(projection, 50))
        assert quick.folded.lags == 0
        assert 0 < most <= 20_000
        assert live.counts.lags == 1
        slow.pace.set()
        await slow.until_view(above(projection, 50))
        assert slow.folded.lags == 1
        put(projection, 1, 999)
        await slow.until_view(above(projection, 50))
        for client in (slow, quick):
            await client.stop()
        await live.close()

    async def test_many_first_rows_are_not_kept_in_memory(self, projection: MemoryProjection, live: LiveQueries) -> None:
        for number in range(3000):
            put(projection, number, 100, note="x" * 400)
        clients = [Client(live, "acme", "") for _ in range(3)]
        for number in range(100):
            put(projection, number * 10, number, note="y")
            await asyncio.sleep(0)
        for client in clients:
            await client.until_view(view_of(projection.rows(ACME)))
            assert client.folded.lags == 0
        for watched in live._tenants[ACME].questions.values():
            assert watched._first is None or watched._first.result().tolds is None
        for client in clients:
            await client.stop()

    async def test_who_takes_many_first_rows_too_slowly_is_told_so(
        self, projection: MemoryProjection, live: LiveQueries, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watcher_module, "PATIENCE", 0.05)
        for number in range(3000):
            put(projection, number, 100, note="x" * 400)
        client = Client(live, "acme", "")
        client.pace.clear()
        await asyncio.sleep(0.1)
        client.pace.set()
        error = await client.until_failed()
        assert isinstance(error, AggregateError)
        assert "narrow the filter" in str(error)


class TestEnds:
    async def test_another_projection_in_its_place_makes_all_read_anew(self, projection: MemoryProjection, live: LiveQueries) -> None:
        for number in range(10):
            put(projection, number, 10 * number)
        client, other = Client(live, "acme", "balance > 50"), Client(live, "other", "")
        for each in (client, other):
            await each.until(lambda folded: folded.caught_up)
        put(projection, 3, 1000)
        projection.replace("second", lambda row: {"balance": row.document.value["balance"] + 30})
        put(projection, 1, 300)
        await client.until(lambda folded: folded.lags == 1)
        await client.until_view(above(projection, 50))
        await other.until(lambda folded: folded.lags == 1 and folded.caught_up)
        for each in (client, other):
            await each.stop()

    async def test_a_projection_that_stops_ends_them_and_one_that_begins_takes_them_again(
        self, projection: MemoryProjection, live: LiveQueries
    ) -> None:
        put(projection, 1, 100)
        client = Client(live, "acme", "balance > 50")
        await client.until(lambda folded: folded.caught_up)
        projection.stop()
        error = await client.until_failed()
        assert isinstance(error, Unavailable)
        assert error.retry_after
        with pytest.raises(Unavailable):
            async with live.live(ACME):
                pass
        assert live.watchers == 0
        projection.replace("first")
        put(projection, 2, 100)
        await client.resume()
        await client.until_view(above(projection, 50))
        assert client.folded.lags == 0
        await client.stop()

    async def test_an_end_reaches_who_waits_and_who_comes_later(self, live: LiveQueries) -> None:
        async with live.live(ACME) as watcher:
            await watcher.next()
            waiting = asyncio.create_task(watcher.next())
            await asyncio.sleep(0)
            watcher.end(Unavailable("going down", "draining"))
            watcher.end(Unavailable("twice", "twice"))
            for next_one in (waiting, watcher.next()):
                with pytest.raises(Unavailable, match="going down"):
                    await next_one

    async def test_a_cancelled_watcher_leaves_nothing_behind(self, projection: MemoryProjection, live: LiveQueries) -> None:
        for number in range(3000):
            put(projection, number, 100, note="x" * 400)
        async with live.live(ACME):
            before = asyncio.all_tasks()
        clients = [Client(live, "acme", f"balance > {number}") for number in range(8)]
        for turns, client in enumerate(clients):  # at different points of its way
            for _ in range(turns * 15):
                await asyncio.sleep(0)
            await client.stop()
        assert (live.watchers, live.questions) == (0, 0)
        async with asyncio.timeout(5):
            while asyncio.all_tasks() - before:  # noqa: ASYNC110 - tasks that are being cancelled
                await asyncio.sleep(0)

    async def test_a_defect_in_one_filter_ends_its_watchers_alone(
        self, projection: MemoryProjection, live: LiveQueries, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        good, bad = Client(live, "acme", "balance > 50"), Client(live, "acme", "balance > 60")
        for client in (good, bad):
            await client.until(lambda folded: folded.caught_up)
        broken = next(watched for watched in live._tenants[ACME].questions.values() if watched.question.filter == "balance > 60")
        monkeypatch.setattr(broken, "matcher", None)
        put(projection, 1, 100)
        assert isinstance(await bad.until_failed(), AggregateError)
        await good.until_view(above(projection, 50))
        await good.stop()

    async def test_who_falls_far_behind_the_projection_reads_anew(
        self, projection: MemoryProjection, live: LiveQueries, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watched_tenant_module, "MOST_BEHIND", 50)
        client = Client(live, "acme", "balance > 50")
        await client.until(lambda folded: folded.caught_up)
        for number in range(200):
            put(projection, number % 7, number)
        await client.until_view(above(projection, 50))
        assert client.folded.lags
        await client.stop()


async def test_when_it_is_quiet_there_are_newer_tokens(projection: MemoryProjection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "QUIET", 0.01)
    live = LiveQueries(projection)
    put(projection, 1, 100)
    client = Client(live, "acme", "balance > 50")
    await client.until(lambda folded: folded.caught_up)
    first = client.folded.token
    put(projection, 2, 10)
    put(projection, 3, 10, tenant="other")
    await client.until(lambda folded: folded.token != first)
    assert client.folded.kinds == ["row", "caught_up", "caught_up"]
    await client.stop()
    projection.kept_from = 3
    await client.resume()
    await client.until(lambda folded: folded.caught_up)
    assert client.folded.lags == 0
    await client.stop()
    await live.close()


FILTERS = ("balance > 50", "balance % 3 == 0", "", 'meta.type == "Order"', "meta.version > 2 or balance == None")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_folded_view_is_a_fresh_query_at_quiet_points(seed: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(watcher_module, "LONGEST_PAUSE", 0.001)
        asyncio.run(_at_quiet_points(random.Random(seed)))


async def _at_quiet_points(chance: random.Random) -> None:
    projection = MemoryProjection(["Account", "Order"])
    live = LiveQueries(projection, buffer_bytes=chance.choice([3_000, 1 << 20]))
    clients = [
        Client(live, chance.choice(["a", "b"]), chance.choice(FILTERS), chance.choice([None, "Account", "Order"]))
        for _ in range(chance.randrange(1, 6))
    ]
    for _ in range(4):
        for _ in range(chance.randrange(1, 60)):
            match chance.randrange(24):
                case 0:
                    if chance.random() < 0.5:
                        projection.replace(projection.incarnation)  # rebuilt, of the same programs
                    else:
                        projection.replace(f"made of {chance.random()}", lambda row: {"balance": chance.randrange(100)})
                case 1:
                    [tenant.begin_anew() for tenant in live._tenants.values()]
                case 2 | 3:
                    await chance.choice(clients).resume()
                case 4 | 5:
                    chance.choice(clients).pace.clear()
                case 6:
                    chance.choice(clients).pace.set()
                case _:
                    projection.commit(_writes(chance))
            for _ in range(chance.choice([0, 0, 1, 5])):
                await asyncio.sleep(0)
        for client in clients:
            client.pace.set()
        for client in clients:
            tenant, text, kind = client._question
            rows = projection.rows(tenant, kind)
            fresh = [row for row, matches in zip(rows, projection.matcher(text).matches(rows), strict=True) if matches]
            await client.until_view(view_of(fresh))
    for client in clients:
        await client.stop()
        assert client.failure is None
    await live.close()


def _writes(chance: random.Random) -> list[Any]:
    states = [None, {"balance": None}, *({"balance": chance.randrange(100)} for _ in range(6))]
    return [
        (account_key(chance.choice("ab"), chance.randrange(8), chance.choice(["Account", "Order"])), chance.choice(states))
        for _ in range(chance.randrange(1, 4))
    ]
