"""Queries: a scan of stored rows, pages by an index, and catching up with the log."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from orjson import loads

import aggregate.engine
from aggregate.config import AggregateManifest
from aggregate.config.manifest import Projection as ProjectionConfig
from aggregate.engine.packs import shown
from aggregate.handler import AggregateHandler
from aggregate.node import register
from aggregate.query.definitions import Definitions
from aggregate.query.projection import Projection
from aggregate.runtime import ProgramSet, RuntimeExecutor
from aggregate.stream import StreamClient
from aggregate.testing import Environment
from aggregate.testing.lenient import LENIENT_BANK
from aggregate.types import AggregateId, Command
from bench.loop import event_loop, in_flight
from bench.registry import Bench, Case, Scale, Timed
from bench.states import FILTER, Asking, filled

ROWS = 100_000
MESSAGES = 10_000
AGGREGATES = 2_000
CLIENTS = 64
SUBJECTS = ("tenant.*.aggregate.>",)


@contextmanager
def _scan(scale: Scale) -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder:
        store, states = filled(Path(folder) / "states", scale.size(ROWS, 300))
        asking = Asking(store)

        def check(ours: int, beside: int) -> None:
            assert ours == beside > 0

        yield Timed(lambda: asking.count(FILTER), lambda: sum([loads(state)["balance"] > 50 for state in states]), check, scale.rounds(5))
        store.close()


@contextmanager
def _range(scale: Scale) -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder:
        store, states = filled(Path(folder) / "states", scale.size(ROWS, 300))
        asking = Asking(store)

        def beside() -> list[int]:
            balances = (loads(state)["balance"] for state in states)
            return sorted(balance for balance in balances if balance > 500_000)[:100]

        def check(ours: list[int], beside: list[int]) -> None:
            assert ours == beside

        def ours() -> list[int]:
            return [loads(shown(found.raw))["balance"] for found in asking.page("balance > 500000", "balance")[:100]]

        yield Timed(ours, beside, check, scale.rounds(5))
        store.close()


@contextmanager
def _catch_up(scale: Scale) -> Iterator[Case]:
    count = scale.size(MESSAGES, 50)
    with event_loop() as runner:
        run = runner.run
        environment = run(Environment().__aenter__())
        try:
            handler = run(environment.handler(aggregate_id_scope="tenant"))
            run(_write(handler, count))
            stream = run(environment.stream())
            manifest = AggregateManifest.of_sources({"Account": LENIENT_BANK}, projection=ProjectionConfig(indexes=("balance",)))
            programs = run(register(RuntimeExecutor().load(manifest), stream))

            def check(ours: int, beside: int) -> None:
                assert ours == beside == count

            yield Timed(lambda: run(_project(stream, programs)), lambda: run(_read(stream, count)), check, scale.rounds(5), waits=True)
        finally:
            run(environment.__aexit__(None, None, None))


async def _write(handler: AggregateHandler, count: int) -> None:
    accounts = [AggregateId.new_v7() for _ in range(min(count, AGGREGATES))]
    deposits = [Command.new_test_deposit_with_tenant("acme", 5, aggregate_id=accounts[at % len(accounts)]) for at in range(count)]
    await in_flight(CLIENTS, [partial(handler.submit, command) for command in deposits])


async def _read(stream: StreamClient, count: int) -> int:
    """The messages through the same client, nothing done with them."""
    seen = 0
    async with stream.subscribe(SUBJECTS, after=0) as subscription:
        async for _ in subscription:
            seen += 1
            if seen == count:
                break
    return seen


async def _project(stream: StreamClient, programs: ProgramSet) -> int:
    """A projection from nothing to the end of the log; the events that its rows are made of."""
    with tempfile.TemporaryDirectory() as folder:
        projection = Projection(Path(folder) / "projections", Definitions.of(programs), stream, aggregate.engine.get())
        projection.start()
        await projection.reach(stream.position(0), time.monotonic() + 300)  # the first time it answers, it is at the end
        rows = await _versions(projection)
        await asyncio.shield(projection.stop())
        return rows


async def _versions(projection: Projection) -> int:
    async with projection.reading(Command.new_test_deposit_with_tenant("acme", 1).tenant_id, None, projection.matcher("")) as reading:
        return sum([row.version async for page in reading.pages() for row in page])


BENCHES = (
    Bench(
        "query.scan",
        f"all of {ROWS:,} rows of a projection through the filter {FILTER}, from LMDB",
        "CPython + orjson loop over the same states, in memory",
        _scan,
        0.25,
        0.2,
        needs=("_native", "_keys"),
    ),
    Bench(
        "query.page",
        f"the first 100 of {ROWS:,} rows with balance > 500000, ordered by balance, by its index",
        "CPython + orjson: read all, sort, cut",
        _range,
        0.5,
        needs=("_native", "_keys"),
    ),
    Bench(
        "query.catch_up",
        f"a projection of {MESSAGES:,} messages of {AGGREGATES:,} aggregates, from nothing",
        "the same messages through the same client, nothing done with them",
        _catch_up,
        0.3,
        0.5,
        better="higher",
        needs=("_native", "_keys"),
    ),
)
