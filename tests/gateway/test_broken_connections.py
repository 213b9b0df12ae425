"""Calls that break: what a client makes of one that ends without a word of the node, and the node of a caller that has gone."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import grpc
import pytest

from aggregate.client import AggregateClient
from aggregate.errors import AggregateError, NotFound, OutcomeUnknown, Unavailable
from aggregate.gateway.errors import abort
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.types import AggregateId, new_uuid7

BROKEN = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED]


@pytest.mark.parametrize("code", BROKEN, ids=lambda code: code.name)
async def test_a_call_that_breaks_tells_nothing_of_its_command(code: grpc.StatusCode) -> None:
    class Breaking(pb_grpc.CommandServiceServicer):
        async def SubmitCommand(self, request: Any, context: Any) -> None:
            await context.abort(code, "the wire broke")

    server = grpc.aio.server()
    pb_grpc.add_CommandServiceServicer_to_server(Breaking(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    command_id = new_uuid7()
    try:
        async with AggregateClient(f"127.0.0.1:{port}") as client:
            with pytest.raises((Unavailable, OutcomeUnknown), match=command_id):
                await client.submit("Account", new_uuid7(), {"type": "deposit", "amount": 1}, command_id=command_id)
    finally:
        await server.stop(None)


async def test_a_new_client_knows_nothing_of_the_failures_of_another() -> None:
    class Nobody(pb_grpc.QueryServiceServicer):
        async def Get(self, request: Any, context: Any) -> None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "it is there")

    server = grpc.aio.server()
    pb_grpc.add_QueryServiceServicer_to_server(Nobody(), server)
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{kept.getsockname()[1]}"
        async with AggregateClient(address) as before, AggregateClient(address) as after:
            for _ in range(2):
                with pytest.raises(Unavailable, match="refused"):
                    await before.get("Account", new_uuid7())
            server.add_insecure_port(address)
            await server.start()
            try:
                with pytest.raises(AggregateError, match="it is there"):
                    await after.get("Account", new_uuid7())
            finally:
                await server.stop(None)


class Gone:
    """The context of a call whose connection went: gRPC cannot send on it."""

    def trailing_metadata(self) -> None:
        """None was set."""

    async def abort(self, *_: object) -> None:
        raise grpc.aio.InternalError('Failed "execute_batch"')


@pytest.mark.parametrize(
    "error", [NotFound(AggregateId.new_v7()), grpc.aio.InternalError("while a reply was written")], ids=["end", "reply"]
)
async def test_a_caller_that_has_gone_ends_its_call_and_is_no_defect(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(asyncio.CancelledError):
        await abort(Gone(), error)  # type: ignore[arg-type] # what of a context is asked
    assert "unexpected error" not in "".join(capsys.readouterr())


def test_grpcs_own_word_on_a_caller_that_has_gone_is_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("grpc._cython.cygrpc")
    for error in (grpc.aio.InternalError('Failed "execute_batch"'), ValueError("a defect")):
        try:
            raise error
        except Exception:
            logger.exception("Unexpected [%s] raised by servicer method", type(error).__name__)
    assert [record.getMessage() for record in caplog.records] == ["Unexpected [ValueError] raised by servicer method"]
