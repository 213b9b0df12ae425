"""A node under clients that are broken, hostile, slow or many: it answers a probe all the time, and its memory comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from aggregate.client import AggregateClient
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.types import AggregateId

from .nodes import NodeProcess, memory_returns, node_process, probed, until
from .raw_http2 import COMMANDS, EVENTS, PREFACE, frame, grpc_message, raw_client

SUBMIT = f"{COMMANDS}/SubmitCommand"
IDLE_CONNECTIONS = 5_000
SPARE_FILES = 1_000
OPEN = {"type": "open_account", "initial_balance": 0}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE_CONNECTIONS + SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))  # the node has the same
    with node_process(tmp_path_factory.mktemp("http2")) as running:
        yield running
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def submit_request(payload: str = '{"type":"deposit","amount":1}', account: str = "", **more: str) -> bytes:
    request = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=account or AggregateId.new_v7(), payload=payload, **more)
    return request.SerializeToString()


async def some_commands(node: NodeProcess) -> None:
    """What a node has in memory once it has worked."""
    async with AggregateClient(node.address) as client:
        await asyncio.gather(*(client.submit("Account", AggregateId.new_v7(), OPEN) for _ in range(500)))


SETTINGS = frame(4, 0, 0)
HEADERS = bytes.fromhex("838684") + b"\x41\x04node"  # POST, http, /, authority
MALFORMED = {
    "not http/2": b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
    "tls": bytes.fromhex("16030100f5010000f10303") + b"\x00" * 200,
    "zeros": b"\x00" * 1000,
    "half a preface": PREFACE[:12],
    "no settings first": PREFACE + frame(6, 0, 0, b"\x00" * 8),
    "settings of a wrong size": PREFACE + frame(4, 0, 0, b"\x00" * 5),
    "settings on a stream": PREFACE + frame(4, 0, 1),
    "acknowledged settings with content": PREFACE + SETTINGS + frame(4, 1, 0, b"\x00" * 6),
    "a frame too large": PREFACE + SETTINGS + frame(0, 0, 1, b"", length=0xFFFFFF),
    "data without a stream": PREFACE + SETTINGS + frame(0, 0, 0, b"x"),
    "data on an idle stream": PREFACE + SETTINGS + frame(0, 0, 5, b"x"),
    "headers on an even stream": PREFACE + SETTINGS + frame(1, 4, 2, HEADERS),
    "headers that are no hpack": PREFACE + SETTINGS + frame(1, 4, 1, b"\xff" * 40),
    "an index beyond the table": PREFACE + SETTINGS + frame(1, 4, 1, b"\xff\x80\x80\x01"),
    "padding longer than the frame": PREFACE + SETTINGS + frame(1, 0x0C, 1, b"\xff" + HEADERS),
    "a continuation of nothing": PREFACE + SETTINGS + frame(9, 4, 1, HEADERS),
    "headers cut by data": PREFACE + SETTINGS + frame(1, 0, 1, HEADERS) + frame(0, 1, 1, b"x"),
    "headers without end": PREFACE + SETTINGS + frame(1, 0, 1, HEADERS) + frame(9, 0, 1, b"\x00\x01a\x01b" * 3000) * 50,
    "a window opened by nothing": PREFACE + SETTINGS + frame(8, 0, 0, b"\x00" * 4),
    "a window beyond its size": PREFACE + SETTINGS + frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2,
    "an idle stream reset": PREFACE + SETTINGS + frame(3, 0, 7, b"\x00" * 4),
    "pings of a wrong size": PREFACE + SETTINGS + frame(6, 0, 0, b"\x00" * 7),
    "a push": PREFACE + SETTINGS + frame(5, 4, 1, b"\x00\x00\x00\x02" + HEADERS),
    "frames of a kind nobody knows": PREFACE + SETTINGS + frame(0xEE, 0xFF, 1, b"x" * 100) * 100,
    "a flood of pings": PREFACE + SETTINGS + frame(6, 0, 0, b"\x00" * 8) * 5_000,
    "a flood of settings": PREFACE + SETTINGS * 5_000,
    "streams opened and reset": PREFACE
    + SETTINGS
    + b"".join(frame(1, 5, stream, HEADERS) + frame(3, 0, stream, b"\x00\x00\x00\x08") for stream in range(1, 2_000, 2)),
}


async def test_malformed_frames_end_their_connection_at_most(node: NodeProcess) -> None:
    rng = random.Random(7)
    noise = {f"noise {number}": PREFACE + SETTINGS + rng.randbytes(rng.randrange(1, 3000)) for number in range(50)}

    async def send(data: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        with contextlib.suppress(OSError, TimeoutError):
            writer.write(data)
            await writer.drain()
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 10)
        writer.close()

    async with memory_returns(node, lambda: some_commands(node)), probed(node):
        for name, data in {**MALFORMED, **noise}.items():
            await send(data)
            async with raw_client(node.port) as fresh:
                answer = await fresh.call(SUBMIT, grpc_message(submit_request(json.dumps(OPEN))))
                await asyncio.wait_for(answer.ended.wait(), 10)
                assert answer.status == "0", f"after {name}"


@pytest.mark.parametrize(
    ("body", "headers", "statuses"),
    [
        (grpc_message(b""), (), {"3"}),
        (grpc_message(b"\xff" * 50), (), {"3"}),
        (grpc_message(submit_request()[:-3]), (), {"3"}),
        (grpc_message(submit_request(), length=3), (), {"3"}),
        (grpc_message(submit_request(), flag=1), (), {"12", "13"}),
        (grpc_message(b"", length=0xFFFFFFFF), (), {"8"}),
        (grpc_message(b"x" * 5_000_000), (), {"8"}),
        (grpc_message(submit_request(json.dumps({"type": "deposit", "note": "x" * 2_000_000}))), (), {"3"}),
        (grpc_message(submit_request()), (("grpc-encoding", "nonsense"),), {"12", "13", "0", "9"}),
        (grpc_message(submit_request()), (("grpc-timeout", "0n"),), {"4"}),
        (grpc_message(submit_request()), (("x-tenant-id", "a"), ("x-tenant-id", "b")), {"3"}),
    ],
    ids=[
        "empty",
        "no protobuf",
        "cut",
        "longer than it says",
        "compressed by nothing",
        "says 4 GiB",
        "5 MB",
        "more than the log takes",
        "encoding nobody knows",
        "no time",
        "two tenants",
    ],
)
async def test_a_malformed_call_is_refused_with_a_status(
    node: NodeProcess, body: bytes, headers: tuple[tuple[str, str], ...], statuses: set[str]
) -> None:
    async with raw_client(node.port) as client:
        answer = await client.call(SUBMIT, body, headers=headers)
        await asyncio.wait_for(answer.ended.wait(), 10)
        assert answer.status in statuses or (answer.reset and not answer.data), answer
        good = await client.call(SUBMIT, grpc_message(submit_request(json.dumps(OPEN))))
        await asyncio.wait_for(good.ended.wait(), 10)
        assert good.status == "0", "the connection goes on"


def random_payload(rng: random.Random) -> str:
    """Text of every sort: noise, JSON, almost JSON, deep, wide, large numbers."""

    def value(depth: int) -> object:
        kinds = [
            lambda: rng.choice([None, True, False, "", "deposit", "\x00", "\U0001f600", "é" * rng.randrange(50)]),
            lambda: rng.choice([0, -1, 2**63, 10**400, -(10**40), 0.1, 1e308, 5e-324]),
            lambda: [value(depth + 1) for _ in range(rng.randrange(4))],
            lambda: {rng.choice(["type", "amount", "x", ""]): value(depth + 1) for _ in range(rng.randrange(4))},
        ]
        return rng.choice(kinds if depth < 4 else kinds[:2])()

    match rng.randrange(6):
        case 0:
            return "".join(chr(rng.choice([rng.randrange(0xD800), rng.randrange(128)])) for _ in range(rng.randrange(60)))
        case 1:
            text = json.dumps({"type": rng.choice(["deposit", "withdraw", "close"]), "amount": value(3)})
            return text[: rng.randrange(len(text) + 1)]
        case 2:
            return rng.choice(["[", '{"type":', '{"a":[']) * rng.randrange(1, 2000)
        case 3:
            return json.dumps({"type": "deposit", "amount": rng.choice([1, "1", 10**30, -5, 0, 0.001, None, [], {}])})
    return json.dumps(value(0), ensure_ascii=rng.random() < 0.5)


async def test_ten_thousand_random_payloads(node: NodeProcess) -> None:
    rng = random.Random(11)
    accounts = [AggregateId.new_v7() for _ in range(64)]
    refused = {3, 8, 9, 13}  # INVALID_ARGUMENT, gas, what the program says; a defect of the program is INTERNAL

    def messages() -> Iterator[pb.SubmitCommandsRequest]:
        for _ in range(40):
            requests = [
                pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=rng.choice(accounts), payload=random_payload(rng))
                for _ in range(225)
            ]
            yield pb.SubmitCommandsRequest(commands=requests)

    async with memory_returns(node, lambda: some_commands(node)), probed(node), grpc.aio.insecure_channel(node.address) as channel:
        call = pb_grpc.CommandServiceStub(channel).SubmitCommands(messages())
        results = {result.index: result async for reply in call for result in reply.results}
        assert sorted(results) == list(range(9_000))
        assert {result.refused.code for result in results.values() if result.HasField("refused")} <= refused
        for result in results.values():
            if result.HasField("refused"):
                assert "internal error" not in result.refused.message
        raw = channel.unary_unary(SUBMIT)
        for _ in range(10):
            calls = [raw(rng.randbytes(rng.randrange(200)), timeout=20) for _ in range(100)]
            codes = {await each.code() for each in calls}
            assert codes <= {grpc.StatusCode.INVALID_ARGUMENT}


async def test_readers_who_do_not_read_hold_nothing_up(node: NodeProcess) -> None:
    account = AggregateId.new_v7()
    async with AggregateClient(node.address, tenant_id="slow") as client:
        await client.submit("Account", account, OPEN)
        notes = {"note": "x" * 1000}
        await asyncio.gather(*(client.submit("Account", account, {"type": "deposit", "amount": 1}, metadata=notes) for _ in range(300)))
    tenant = (("x-tenant-id", "slow"),)
    request = pb.ReadEventsRequest(aggregate_type="Account", aggregate_id=account).SerializeToString()
    commands = [pb.SubmitCommandRequest.FromString(submit_request(account=account, traceparent="x" * 900)) for _ in range(100)]
    flood = grpc_message(pb.SubmitCommandsRequest(commands=commands).SerializeToString()) * 5

    async with memory_returns(node, lambda: some_commands(node)), probed(node), contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(raw_client(node.port, reads=False)) for _ in range(10)]
        sending = []
        for client in clients:
            for _ in range(2):
                await client.call(f"{EVENTS}/SubscribeEvents", grpc_message(b""), headers=tenant)
                await client.call(f"{EVENTS}/ReadEvents", grpc_message(request), headers=tenant)
            sending.append(asyncio.create_task(client.call(f"{COMMANDS}/SubmitCommands", flood, headers=tenant, end=False)))
        await until(lambda: all(client.received > 60_000 for client in clients))  # as much as a window holds, and no more
        for each in sending:
            each.cancel()


@asynccontextmanager
async def idle_connections(node: NodeProcess, count: int) -> AsyncIterator[None]:
    """Connections that say nothing; half of them not even what they want."""
    async with contextlib.AsyncExitStack() as stack:
        for number in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", node.port)))
            connection.sendall(PREFACE + SETTINGS if number % 2 else b"")
            if number % 100 == 0:
                await asyncio.sleep(0)
        yield


async def test_five_thousand_idle_connections(node: NodeProcess) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < IDLE_CONNECTIONS + SPARE_FILES:
        pytest.skip("needs a limit of 6,000 open files")

    async def a_smaller_crowd() -> None:  # what a node keeps of its first one it uses for the next
        await some_commands(node)
        async with idle_connections(node, IDLE_CONNECTIONS // 5):
            pass

    async with memory_returns(node, a_smaller_crowd), probed(node) as took, idle_connections(node, IDLE_CONNECTIONS):
        answered = len(took)
        await until(lambda: len(took) > answered + 5)


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is of Debian's package nghttp2-client")
async def test_h2load(node: NodeProcess, tmp_path: Path) -> None:
    account = AggregateId.new_v7()
    async with AggregateClient(node.address) as client:
        await client.submit("Account", account, OPEN)
    body = tmp_path / "body"
    body.write_bytes(grpc_message(submit_request(account=account)))
    process = await asyncio.create_subprocess_exec(
        *("h2load", "-n", "2000", "-c", "20", "-m", "10", "-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers"),
        f"http://127.0.0.1:{node.port}{SUBMIT}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in out.decode()
    async with AggregateClient(node.address) as client:
        assert (await client.get("Account", account)).version == 2001
