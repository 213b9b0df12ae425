"""`python -m bench.echo`: a grpc.aio server that answers SubmitCommand at once with a reply like a node's: what gRPC alone costs."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import grpc
import uvloop

from aggregate.gateway.server import OPTIONS
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc

TENANT = "acme"
ID = "0190a5c8-7b1e-7c3a-9d2f-5e6a7b8c9d0e"
REPLY = pb.SubmitCommandReply(
    command_id=ID,
    tenant_id=TENANT,
    aggregate_id=ID,
    version=2,
    position="0:12345",
    gas_used=104,
    events=[
        pb.Event(
            tenant_id=TENANT,
            event_id=ID,
            aggregate_type="Account",
            aggregate_id=ID,
            version=2,
            event_type="deposited",
            payload='{"amount":5,"type":"deposited"}',
            command_id=ID,
            timestamp="2026-01-31T12:00:00.000Z",
            position="0:12345",
        )
    ],
)


class Echo(pb_grpc.CommandServiceServicer):
    async def SubmitCommand(self, request: pb.SubmitCommandRequest, context: Any) -> pb.SubmitCommandReply:  # noqa: N802 - gRPC's name
        return REPLY


async def serve() -> None:
    server = grpc.aio.server(options=OPTIONS)
    pb_grpc.add_CommandServiceServicer_to_server(Echo(), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print(json.dumps({"grpc": f"127.0.0.1:{port}"}), flush=True)
    await stopped.wait()
    await server.stop(1.0)


if __name__ == "__main__":
    uvloop.run(serve())
