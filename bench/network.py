"""A node over gRPC, client and server in different processes: what a caller gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from aggregate.client import AggregateClient
from aggregate.errors import AggregateError
from aggregate.types import AggregateId, AggregateKey, Command, Receipt
from bench import processes
from bench.handling import CLIENTS, KIND, TENANT, check_counts, check_versions, deposits
from bench.log import RawLog
from bench.loop import event_loop, in_flight
from bench.registry import Bench, Case, Scale, Timed

DEPOSIT = '{"amount":5,"type":"deposit"}'


async def open_accounts(client: AggregateClient, count: int) -> list[AggregateId]:
    accounts = [AggregateId.new_v7() for _ in range(count)]
    command = {"type": "open_account", "owner": "Ada"}
    await in_flight(CLIENTS, [partial(client.submit, KIND, account, command) for account in accounts])
    return accounts


async def submit_deposits(client: AggregateClient, accounts: Sequence[AggregateId], count: int, clients: int) -> list[Receipt]:
    return await in_flight(clients, [partial(client.submit, KIND, accounts[index % len(accounts)], DEPOSIT) for index in range(count)])


async def stream(client: AggregateClient, commands: Sequence[Command]) -> list[Receipt]:
    """The receipts of commands sent over one SubmitCommands call."""
    outcomes = [outcome async for _, outcome in client.submit_many(commands)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, AggregateError)]
    assert not refused, refused[0]
    return [outcome for outcome in outcomes if isinstance(outcome, Receipt)]


@contextmanager
def _unary(scale: Scale, *, clients: int, commands: int) -> Iterator[Case]:
    count = scale.size(commands, 20)
    with processes.node() as node, processes.echo() as echo, event_loop() as runner:
        run = runner.run
        client, other = run(_client(node["grpc"])), run(_client(echo["grpc"]))
        accounts = run(open_accounts(client, clients))
        run(submit_deposits(client, accounts, count, clients))
        yield Timed(
            lambda: run(submit_deposits(client, accounts, count, clients)),
            lambda: run(submit_deposits(other, accounts, count, clients)),
            check_counts,
            scale.rounds(5),
            waits=True,
        )
        run(client.close())
        run(other.close())


@contextmanager
def _hot(scale: Scale) -> Iterator[Case]:
    count = scale.size(512, 64)
    with processes.node() as node, event_loop() as runner:
        run = runner.run
        client = run(_client(node["grpc"]))
        accounts = run(open_accounts(client, 1))
        yield Timed(
            lambda: run(submit_deposits(client, accounts, count, CLIENTS)),
            lambda: run(submit_deposits(client, accounts, count, 1)),
            partial(check_versions, count),
            scale.rounds(5),
            waits=True,
        )
        run(client.close())


@contextmanager
def _stream(scale: Scale) -> Iterator[Case]:
    count = scale.size(2_000, 100)
    with processes.node() as node, event_loop() as runner:
        run = runner.run
        client = run(_client(node["grpc"]))
        raw = run(RawLog.open(node["nats"]))
        accounts = run(open_accounts(client, 256))
        run(submit_deposits(client, accounts[:1], 1, 1))
        body = run(raw.last(AggregateKey(TENANT, KIND, accounts[0])))
        new: list[Command] = []

        def before() -> None:
            new[:] = deposits(accounts, count)

        yield Timed(
            lambda: run(stream(client, new)),
            lambda: run(raw.publish([body] * count, at_once=256)),
            check_counts,
            scale.rounds(5),
            before,
            waits=True,
        )
        run(raw.close())
        run(client.close())


async def drive(address: str, count: int) -> None:
    """64 clients' deposits on as many accounts, without a clock: something for a profiler to look at."""
    client = await _client(address)
    await submit_deposits(client, await open_accounts(client, CLIENTS), count, CLIENTS)
    await client.close()


async def _client(address: str) -> AggregateClient:
    return AggregateClient(address, tenant_id=TENANT)


BENCHES = (
    Bench(
        name="unary.64_clients",
        ours="SubmitCommand, 64 clients on 64 warm accounts",
        beside="grpc.aio echo server, same client",
        prepare=partial(_unary, clients=CLIENTS, commands=1_500),
        tolerance=0.25,
        target=0.8,
        better="higher",
    ),
    Bench(
        name="unary.one_client",
        ours="SubmitCommand, one client on one warm account",
        beside="grpc.aio echo server, same client",
        prepare=partial(_unary, clients=1, commands=300),
        tolerance=0.25,
        better="higher",
    ),
    Bench(
        name="unary.hot",
        ours="SubmitCommand, 64 clients on one account",
        beside="one client on it",
        prepare=_hot,
        tolerance=0.3,
        target=8,
        better="higher",
    ),
    Bench(
        name="stream.256_accounts",
        ours="SubmitCommands, one stream over 256 warm accounts",
        beside="JetStream publish of the same bodies, 256 under way",
        prepare=_stream,
        tolerance=0.25,
        target=0.5,
        better="higher",
    ),
)
