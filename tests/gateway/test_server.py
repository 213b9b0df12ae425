"""The server around the services: health, reflection, addresses, TLS files, size."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import grpc
import pytest
from grpc._cython import cygrpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from aggregate import client
from aggregate.config.settings import Settings
from aggregate.errors import ConfigError, Unavailable
from aggregate.gateway import peers, server
from aggregate.gateway.health import HealthStatus
from aggregate.gateway.interface import Backend
from aggregate.gateway.server import CommandServer
from aggregate.proto import aggregate_pb2 as pb
from aggregate.types import AggregateId, Command
from tests.e2e.raw_http2 import COMMANDS, grpc_message, raw_client

from .conftest import FakeHandler, Gateway, python_canonical, until


async def test_the_health_service_follows_the_node(gateway: Gateway) -> None:
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for serving, expected in ((True, "SERVING"), (False, "NOT_SERVING"), (True, "SERVING")):
            await gateway.server.set_serving(serving)
            for service in ("", "cloudlysis.aggregate.v1.CommandService"):
                reply = await health.Check(health_pb2.HealthCheckRequest(service=service))
                assert health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status) == expected


@pytest.mark.parametrize("options", [server.OPTIONS, peers.OPTIONS, client.OPTIONS], ids=["server", "peers", "client"])
def test_grpc_knows_every_option_it_is_given(options: tuple[tuple[str, int], ...]) -> None:
    """It says nothing of one that it does not know."""
    library = Path(cygrpc.__file__).read_bytes()
    assert [name for name, _ in options if f"{name}\0".encode() not in library] == []


async def test_reflection_lists_the_services_and_gives_the_file(gateway: Gateway) -> None:
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        requests = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="cloudlysis.aggregate.v1.CommandService"),
        ]
        listed, file = [reply async for reply in stub.ServerReflectionInfo(iter(requests))]
    names = {service.name for service in listed.list_services_response.service}
    assert names >= {f"cloudlysis.aggregate.v1.{name}Service" for name in ("Command", "Event", "Query")} | {"grpc.health.v1.Health"}
    assert b"SubmitCommandRequest" in file.file_descriptor_response.file_descriptor_proto[0]


async def test_a_stopping_server_says_so_on_every_connection_and_finishes_what_is_under_way(gateway: Gateway, handler: FakeHandler) -> None:
    released = asyncio.Event()
    handler.decide = lambda _: released.wait()
    request = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload='{"type":"deposit"}')
    async with raw_client(gateway.server.port) as busy, raw_client(gateway.server.port) as idle:
        answer = await busy.call(f"{COMMANDS}/SubmitCommand", grpc_message(request.SerializeToString()))
        await until(lambda: bool(handler.seen))
        stopping = asyncio.create_task(gateway.server.stop(20))
        await asyncio.wait_for(busy.goaway.wait(), 10)
        await asyncio.wait_for(idle.closed.wait(), 10)
        assert idle.goaway.is_set()
        assert not answer.ended.is_set()
        released.set()
        await asyncio.wait_for(answer.ended.wait(), 10)
        assert answer.status == "0"
        await asyncio.wait_for(stopping, 10)


async def test_a_busy_port_is_one_clear_error(handler: FakeHandler) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = CommandServer(
            Backend(lambda: handler, lambda: handler, python_canonical),
            Settings(grpc_address=f"127.0.0.1:{port}"),
            lambda: HealthStatus(True, True),
        )
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            await server.start()


async def test_a_second_server_does_not_share_the_port(gateway: Gateway, handler: FakeHandler) -> None:
    second = CommandServer(
        Backend(lambda: handler, lambda: handler, python_canonical),
        Settings(grpc_address=gateway.server.address),
        lambda: HealthStatus(True, True),
    )
    with pytest.raises(ConfigError):
        await second.start()


async def test_tls_files_that_hold_nothing_are_an_error(handler: FakeHandler, tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    settings = Settings(grpc_address="127.0.0.1:0", tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
    server = CommandServer(Backend(lambda: handler, lambda: handler, python_canonical), settings, lambda: HealthStatus(True, True))
    with pytest.raises(ConfigError, match="cannot"):
        await server.start()


async def test_before_the_node_is_up_a_command_is_told_to_come_again() -> None:
    def not_yet() -> FakeHandler:
        raise Unavailable("connecting to NATS", "starting")

    server = CommandServer(
        Backend(not_yet, not_yet, python_canonical), Settings(grpc_address="127.0.0.1:0"), lambda: HealthStatus(False, True, reasons=("x",))
    )
    await server.start()
    try:
        with pytest.raises(Unavailable, match="connecting"):
            await server.handle(Command.new_test())
        assert not (await server.health_check()).ready
    finally:
        await server.stop(0)
