"""Queries and live queries over a real channel, a real log and a real projection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import grpc
import pytest

from aggregate.client import AggregateClient
from aggregate.config import AggregateManifest, Settings
from aggregate.config.manifest import Projection as ProjectionConfig
from aggregate.errors import DeadlineExceeded, Overloaded, Unavailable, ValidationError
from aggregate.gateway.interface import Backend
from aggregate.gateway.server import CommandServer
from aggregate.handler import AggregateHandler
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.query.client import QueryClient
from aggregate.query.live import LiveQueries
from aggregate.stream import StreamClient
from aggregate.testing import Environment
from aggregate.testing.servers import health_of
from aggregate.types import AggregateId
from aggregate.types.json import canonical, parse
from aggregate.types.queries import Group, Summary
from tests.query.watching import Folding, view_of

from .conftest import until

PROGRAM = """
def decide(state, command):
    return [event("put", state = command.get("state"))]

def apply(state, event):
    return event.state
"""
IDS = [AggregateId(f"00000000-0000-7000-8000-{number:012x}") for number in range(40)]


class Serving:
    """A node's server that can go and come back on the same port."""

    def __init__(self, handler: AggregateHandler, **settings: Any) -> None:
        self._handler = handler
        self._settings = settings
        self.port = 0
        self.server: CommandServer

    async def start(self) -> None:
        handler = self._handler
        stream = cast(StreamClient, handler.stream())
        backend = Backend(
            lambda: handler, lambda: stream, lambda text: canonical(parse(text)), lambda: cast(QueryClient, handler.query_client())
        )
        settings = Settings(grpc_address=f"127.0.0.1:{self.port}", **self._settings)
        self.server = CommandServer(backend, settings, lambda: health_of(handler))
        await self.server.start()
        self.port = self.server.port

    async def stop(self, grace: float = 0.0) -> None:
        await self.server.stop(grace)

    @property
    def live(self) -> LiveQueries:
        live = cast(QueryClient, self._handler.query_client())._live
        assert live is not None
        return live

    def client(self, tenant: str = "acme", **options: Any) -> AggregateClient:
        return AggregateClient(f"127.0.0.1:{self.port}", tenant_id=tenant, **options)


@pytest.fixture
async def handler() -> AsyncIterator[AggregateHandler]:
    indexed = ProjectionConfig(indexes=("balance",))
    both = AggregateManifest.of_sources({"Account": PROGRAM, "Order": PROGRAM}, projection=indexed)
    unprojected = AggregateManifest.of_sources({"Secret": PROGRAM})
    manifest = AggregateManifest({**both.aggregates, **unprojected.aggregates})
    async with Environment() as environment:
        yield await environment.handler(manifest=manifest, aggregate_id_scope="tenant")


@pytest.fixture
async def serving(handler: AggregateHandler) -> AsyncIterator[Serving]:
    made = Serving(handler)
    await made.start()
    yield made
    await made.stop()


async def put(client: AggregateClient, number: int, state: Any, kind: str = "Account") -> str:
    return (await client.submit(kind, IDS[number], {"type": "put", "state": state})).position


async def test_a_query_gives_rows_with_exact_numbers_in_order_page_by_page(serving: Serving) -> None:
    async with serving.client() as client:
        for number in range(7):
            position = await put(client, number, {"balance": Decimal(f"{number}.10000000000000000001"), "owner": {"n": number % 2}})
        first = await client.query("balance > 1", order_by=["-balance"], limit=4, min_position=position, aggregate_type="Account")
        second = await client.query(
            "balance > 1", order_by=["-balance"], limit=4, page_token=first.next_page_token, aggregate_type="Account"
        )
    assert [row.aggregate_id for row in [*first, *second]] == [IDS[number] for number in (6, 5, 4, 3, 2, 1)]
    assert first[0].state["balance"] == Decimal("6.10000000000000000001")
    assert (first[0].tenant_id, first[0].aggregate_type, first[0].version) == ("acme", "Account", 1)
    assert first[0].position
    assert first[0].time.endswith("Z")
    assert (bool(first.next_page_token), second.next_page_token) == (True, "")


async def test_a_query_gives_sums_and_says_how_it_found_them(serving: Serving) -> None:
    async with serving.client() as client:
        for number in range(6):
            position = await put(client, number, {"balance": number, "country": "DE" if number % 2 else "NL"})
        answer = await client.query(
            "balance >= 1",
            summaries=[Summary("count"), Summary("sum", "balance"), Summary("max", "nothing")],
            group_by=["country"],
            explain=True,
            min_position=position,
        )
        explained = await client.query("balance == 3", explain=True, aggregate_type="Account")
    assert answer.groups == (Group(("DE",), (3, 9, None)), Group(("NL",), (2, 6, None)))
    assert answer.rows == ()
    assert answer.explanation is not None
    assert explained.explanation is not None
    assert explained.explanation.index == "balance"
    assert explained.explanation.rows_read == 1


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"filter": "balance >"}, "filter", ":1:10: error[syntax]"),
        ({"filter": "nobody(3)"}, "filter", "nobody"),
        ({"aggregate_type": "Secret"}, "aggregate_type", "not projected"),
        ({"aggregate_type": "no type!"}, "aggregate_type", ""),
        ({"limit": 5000}, "limit", "1000"),
        ({"order_by": ["-"]}, "order_by", ""),
        ({"page_token": "AAAA"}, "page_token", ""),
        ({"min_position": "soon"}, "min_position", "position"),
    ],
)
async def test_a_wrong_query_is_refused_by_name(serving: Serving, asked: dict[str, Any], field: str, words: str) -> None:
    async with serving.client() as client:
        with pytest.raises(ValidationError) as caught:
            await client.query(asked.pop("filter", ""), **asked)
    assert caught.value.field == field
    assert words in caught.value.description


async def test_a_wrong_filter_is_shown_with_a_caret(serving: Serving) -> None:
    async with serving.client() as client:
        for asking in (client.query("balance > ) 5"), anext(client.watch("balance > ) 5"))):
            with pytest.raises(ValidationError) as caught:
                await asking
            *_, line, caret = caught.value.description.splitlines()
            assert line.endswith("balance > ) 5")
            assert caret.index("^") == line.index(")")


async def test_an_unknown_function_of_a_newer_client_is_refused(serving: Serving) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pb_grpc.QueryServiceStub(channel).Query(  # type: ignore[no-untyped-call] # generated code
                pb.QueryRequest(summaries=[pb.Summary(path="balance")])
            )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_position_that_does_not_come_is_deadline_exceeded(serving: Serving) -> None:
    async with serving.client() as client:
        with pytest.raises(DeadlineExceeded):
            await client.query(min_position="0:1000000", timeout=0.5)


async def test_a_node_without_a_projection_says_so(gateway: Any) -> None:
    async with gateway.client() as client:
        for asking in (client.query(), anext(client.watch(patience=0.0))):
            with pytest.raises(Unavailable) as caught:
                await asking
            assert caught.value.reason == "no_projection"


async def test_queries_are_counted(serving: Serving) -> None:
    async with serving.client() as client:
        await client.query()
        with pytest.raises(ValidationError):
            await client.query("(")
    counts = serving.server.queries
    assert dict(counts.answered) == {"": 1, "invalid_argument": 1}
    assert counts.seconds > 0


class Follower:
    """A client that watches and folds."""

    def __init__(self, client: AggregateClient, text: str = "", **options: Any) -> None:
        self.folded = Folding()
        self.moved = asyncio.Event()
        self.task = asyncio.create_task(self._run(client, text, options))
        self.task.add_done_callback(lambda _: self.moved.set())

    async def _run(self, client: AggregateClient, text: str, options: dict[str, Any]) -> None:
        async for event in client.watch(text, **options):
            if event.kind not in {"caught_up", "lagged", "row"}:
                self.folded._resumed = True  # it may resume by itself at any time
            self.folded.take([event])
            self.moved.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(20):
            while not condition(self.folded):
                if self.task.done():
                    self.task.result()
                self.moved.clear()
                await self.moved.wait()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_live_query_is_what_a_query_gives_at_quiet_points_under_writes_and_restarts(serving: Serving) -> None:
    chance = random.Random(7)
    filters = ["balance > 50", 'meta.type == "Order"', "", "balance > 50"]
    async with serving.client() as client, serving.client("other") as other:
        await put(other, 1, {"balance": 99})
        followers = [Follower(client, text) for text in filters]
        for round_number in range(5):
            for _ in range(25):
                state = chance.choice([None, {"balance": chance.randrange(100)}, {"balance": chance.randrange(100)}])
                position = await put(client, chance.randrange(12), state, chance.choice(["Account", "Order"]))
            if round_number in {1, 3}:
                await serving.stop()
                await serving.start()
            for follower, text in zip(followers, filters, strict=True):
                fresh = view_of(await client.query(text, min_position=position, limit=1000))
                await follower.until(lambda folded, fresh=fresh: folded.caught_up and folded.view == fresh)
        assert all(follower.folded.lags == 0 for follower in followers), "they went on with their tokens"
        for follower in followers:
            await follower.stop()


async def test_tenants_see_their_own_alone_and_a_token_opens_nothing_else(serving: Serving) -> None:
    async with serving.client() as mine, serving.client("other") as other:
        await put(mine, 1, {"balance": 1})
        await put(other, 1, {"balance": 2})
        watching = {client: Follower(client) for client in (mine, other)}
        for client, balance in ((mine, 1), (other, 2)):
            await watching[client].until(lambda folded: folded.caught_up and folded.rows)
            assert [row.state["balance"] for row in watching[client].folded.rows.values()] == [balance]
        token = watching[mine].folded.token
        with pytest.raises(ValidationError) as caught:
            await anext(other.watch(resume_token=token))
        assert caught.value.field == "resume_token"
        page = await mine.query(limit=1)
        await put(mine, 2, {"balance": 3})
        page = await mine.query(limit=1, min_position=(await put(mine, 3, {"balance": 3})))
        with pytest.raises(ValidationError):
            await other.query(limit=1, page_token=page.next_page_token)
        for follower in watching.values():
            await follower.stop()


async def test_a_live_query_ends_when_the_node_goes_down_and_its_client_waits_for_the_next(serving: Serving) -> None:
    async with serving.client() as client:
        await client.query(min_position=await put(client, 0, None))
        impatient, patient = Follower(client, patience=0.0), Follower(client)
        for follower in (impatient, patient):
            await follower.until(lambda folded: folded.caught_up)
        await serving.stop(5.0)
        with pytest.raises(Unavailable) as caught:
            await impatient.task
        assert caught.value.reason == "draining"
        assert caught.value.retry_after
        await serving.start()
        await put(client, 1, {"balance": 1})
        await patient.until(lambda folded: folded.rows)
        await patient.stop()


async def test_what_a_client_left_is_let_go(serving: Serving) -> None:
    async with serving.client() as client:
        follower = Follower(client)
        await follower.until(lambda folded: folded.caught_up)
        live = serving.live
        assert live.watchers == 1
        await follower.stop()
        await until(lambda: live.watchers == 0)
        assert serving.server._calls.subscriptions.open == 0


async def test_a_slow_client_lags_and_begins_anew(serving: Serving) -> None:
    live = serving.live
    live._buffer_bytes = 200_000
    async with serving.client() as client:
        await client.query(min_position=await put(client, 0, None))
    async with serving.client() as client, grpc.aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel:
        stub = pb_grpc.QueryServiceStub(channel)  # type: ignore[no-untyped-call] # generated code
        call = stub.Watch(pb.WatchRequest(), metadata=[("x-tenant-id", "acme")])
        assert [event.kind for event in (await call.read()).events] == [pb.WatchEvent.CAUGHT_UP]
        number = 0
        while not live.counts.lags:  # it takes nothing; gRPC's own buffers fill first
            await put(client, number % 4, {"balance": number, "text": "x" * 60_000})
            number += 1
            assert number < 1000
        kinds: list[int] = []
        while pb.WatchEvent.LAGGED not in kinds or kinds[-1] != pb.WatchEvent.CAUGHT_UP:
            kinds += [event.kind for event in (await call.read()).events]
        after = kinds[kinds.index(pb.WatchEvent.LAGGED) + 1 :]
        assert after.count(pb.WatchEvent.ROW) == 4
        call.cancel()


async def test_a_tenant_has_so_many_live_queries_and_no_more(handler: AggregateHandler) -> None:
    serving = Serving(handler, quota_subscriptions=1)
    await serving.start()
    async with serving.client() as client, serving.client("other") as other:
        follower = Follower(client)
        await follower.until(lambda folded: folded.caught_up)
        for asking in (anext(client.watch()), anext(client.subscribe())):
            with pytest.raises(Overloaded) as caught:
                await asking
            assert caught.value.reason == "quota_subscriptions"
            assert caught.value.retry_after
        assert (await anext(other.watch())).kind == "caught_up"
        await follower.stop()
    await serving.stop()
