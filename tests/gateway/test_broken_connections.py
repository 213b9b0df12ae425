"""What a client makes of a call that breaks without a word of the node."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from aggregate.client import AggregateClient
from aggregate.errors import OutcomeUnknown, Unavailable
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.types import new_uuid7

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
