"""`AggregateHandler` on a real log, without the network in front of it: what a command and a load cost beside the log alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from aggregate.config import AggregateManifest
from aggregate.handler import AggregateHandler
from aggregate.handler.loader import Loader
from aggregate.node import register
from aggregate.runtime import RuntimeExecutor
from aggregate.stream import StreamClient
from aggregate.stream.subjects import subject_of
from aggregate.testing import Environment, MemoryStorage
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, Receipt, TenantId
from bench.log import RawLog
from bench.loop import event_loop, in_flight
from bench.programs.bank import BANK
from bench.registry import Bench, Case, Scale, Timed

CLIENTS = 64
TENANT, KIND = TenantId("acme"), AggregateType("Account")
MANIFEST = AggregateManifest.of_sources({KIND: BANK.source})


@dataclass(frozen=True, slots=True)
class World:
    """A log, a handler on it, and a bare connection beside it."""

    runner: asyncio.Runner
    environment: Environment
    handler: AggregateHandler
    raw: RawLog


@contextmanager
def _world(**settings: Any) -> Iterator[World]:
    with event_loop() as runner:
        environment = runner.run(Environment().__aenter__())
        raw = None
        try:
            handler = runner.run(environment.handler(manifest=MANIFEST, **{"snapshot_threshold": 100, **settings}))
            raw = runner.run(RawLog.open(environment.nats.url))
            yield World(runner, environment, handler, raw)
        finally:
            if raw is not None:
                runner.run(raw.close())
            runner.run(environment.__aexit__(None, None, None))


def opened(account: AggregateId) -> Command:
    return Command.new_test({"type": "open_account", "owner": "Ada"}, TENANT, aggregate_id=account)


def deposit(account: AggregateId) -> Command:
    return Command.new_test({"type": "deposit", "amount": 5}, TENANT, aggregate_id=account)


async def open_accounts(handler: AggregateHandler, count: int) -> list[AggregateId]:
    accounts = [AggregateId.new_v7() for _ in range(count)]
    await submit(handler, [opened(account) for account in accounts], CLIENTS)
    return accounts


def deposits(accounts: Sequence[AggregateId], count: int) -> list[Command]:
    """New deposits, the accounts in turn."""
    return [deposit(accounts[index % len(accounts)]) for index in range(count)]


async def submit(handler: AggregateHandler, commands: Sequence[Command], clients: int) -> list[Receipt]:
    """The receipts of all commands, `clients` of them under way at any time."""
    return await in_flight(clients, [partial(handler.submit, command) for command in commands])


async def stored_bodies(world: World, account: AggregateId) -> list[bytes]:
    key = AggregateKey(TENANT, KIND, account)
    stream = world.handler.stream()
    last = await stream.last(key)
    return [message.body for message in await stream.read(key, after=0, upto=last.sequence if last is not None else 0)]


def check_counts(ours: Sequence[object], beside: int | Sequence[object]) -> None:
    assert len(ours) == (beside if isinstance(beside, int) else len(beside))


@contextmanager
def _submit(scale: Scale, *, accounts: int, commands: int) -> Iterator[Case]:
    count = scale.size(commands, 20)
    with _world() as world:
        run, handler = world.runner.run, world.handler
        ids = run(open_accounts(handler, accounts))
        run(submit(handler, deposits(ids[:1], 1), 1))
        body = run(stored_bodies(world, ids[0]))[-1]
        new: list[Command] = []

        def before() -> None:
            new[:] = deposits(ids, count)

        yield Timed(
            lambda: run(submit(handler, new, accounts)),
            lambda: run(world.raw.publish([body] * count, at_once=accounts)),
            check_counts,
            scale.rounds(7),
            before,
            waits=True,
        )


@contextmanager
def _hot(scale: Scale) -> Iterator[Case]:
    count = scale.size(512, 64)
    with _world() as world:
        run, handler = world.runner.run, world.handler
        ids = run(open_accounts(handler, 1))
        new: list[Command] = []

        def before() -> None:
            new[:] = deposits(ids, 2 * count)  # the first half for the one client, who comes first: ids ascend

        yield Timed(
            lambda: run(submit(handler, new[count:], CLIENTS)),
            lambda: run(submit(handler, new[:count], 1)),
            partial(check_versions, count),
            scale.rounds(5),
            before,
            waits=True,
        )


def check_versions(count: int, ours: list[Receipt], beside: list[Receipt]) -> None:
    versions = [int(receipt.version) for receipt in (*beside, *ours)]
    assert sorted(versions) == list(range(min(versions), min(versions) + 2 * count)), "a gap or a twin"


@contextmanager
def _uncached(scale: Scale) -> Iterator[Case]:
    """Far more aggregates than the cache holds: each command loads a snapshot at the tip and asks the log whether it is the tip."""
    count = scale.size(200, 20)
    with _world(snapshot_threshold=1) as world:
        run, warm = world.runner.run, world.handler
        cold = run(world.environment.handler(manifest=MANIFEST, snapshot_threshold=1, cache_bytes=0))
        ids = run(open_accounts(cold, count))
        kept = run(open_accounts(warm, count))
        new: list[Command] = []

        def before() -> None:
            new[:] = [*deposits(ids, count), *deposits(kept, count)]

        yield Timed(
            lambda: run(submit(cold, new[:count], 1)),
            lambda: run(submit(warm, new[count:], 1)),
            check_counts,
            scale.rounds(5),
            before,
            waits=True,
        )


@contextmanager
def _load(scale: Scale) -> Iterator[Case]:
    count = scale.size(1_000, 50)
    with _world(snapshot_threshold=1_000_000) as world:
        run, handler = world.runner.run, world.handler
        (account,) = run(open_accounts(handler, 1))
        run(submit(handler, deposits([account], count - 1), 1))
        key = AggregateKey(TENANT, KIND, account)
        stream = handler.stream()
        assert isinstance(stream, StreamClient)
        programs = run(register(RuntimeExecutor().load(MANIFEST), stream))
        expected = run(handler.get(TENANT, KIND, account))
        loader = Loader(programs, MemoryStorage(), stream, owned_ids=True)

        def ours() -> bytes:
            loaded = run(loader.load(key))
            assert loaded.version == count
            return loaded.state.json()

        def beside() -> list[bytes]:
            return run(world.raw.get(subject_of(key), count))

        def check(ours: bytes, beside: list[bytes]) -> None:
            assert ours == expected.state.text
            assert len(beside) == count

        yield Timed(ours, beside, check, scale.rounds(20), waits=True)


BENCHES = (
    Bench(
        name="submit.one_client",
        ours="handler.submit, one client, one warm account",
        beside="JetStream publish of the same bodies, one at a time",
        prepare=partial(_submit, accounts=1, commands=300),
        tolerance=0.25,
        better="higher",
    ),
    Bench(
        name="submit.64_clients",
        ours="handler.submit, 64 clients on 64 warm accounts",
        beside="JetStream publish of the same bodies, 64 under way",
        prepare=partial(_submit, accounts=CLIENTS, commands=2_000),
        tolerance=0.25,
        better="higher",
    ),
    Bench(
        name="submit.hot",
        ours="handler.submit, 64 clients on one account",
        beside="one client on it",
        prepare=_hot,
        tolerance=0.3,
        target=8,
        better="higher",
    ),
    Bench(
        name="submit.uncached",
        ours="handler.submit, one client, the account not in memory: a snapshot at the tip",
        beside="the account in memory",
        prepare=_uncached,
        tolerance=0.3,
        better="higher",
    ),
    Bench(
        name="load.1000_events",
        ours="cold load of an account of 1,000 events, no snapshot",
        beside="direct get of the same messages",
        prepare=_load,
        tolerance=0.25,
        target=1.3,
    ),
)
