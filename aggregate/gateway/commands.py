"""CommandService: commands in, receipts out, one at a time or as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from aggregate.gateway.calls import Calls, Context
from aggregate.gateway.command_stream import CommandStream
from aggregate.gateway.errors import abort
from aggregate.gateway.metadata import COMMAND_ID, CallMetadata
from aggregate.gateway.requests import read_command
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.proto.messages import write_receipt
from aggregate.types import Receipt, new_uuid7


async def submit(calls: Calls, request: pb.SubmitCommandRequest, call: CallMetadata, command_id: str, deadline: float) -> Receipt:
    """One request to its receipt. Raises what reading it and deciding it raise."""
    command = read_command(request, call, command_id, calls.backend.canonical, calls.backend.trace)
    return await calls.backend.handler().submit(command, deadline=deadline)


class CommandService(pb_grpc.CommandServiceServicer):
    """The gRPC methods."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def SubmitCommand(self, request: pb.SubmitCommandRequest, context: Context) -> pb.SubmitCommandReply:  # noqa: N802 - gRPC's name
        """See the .proto file."""
        command_id = request.command_id
        try:
            if not command_id:
                command_id = new_uuid7()
                # Before anything is decided: whoever loses the answer can ask again under this id.
                await context.send_initial_metadata(((COMMAND_ID, command_id),))
            call = self._calls.metadata(context)
            receipt = await submit(self._calls, request, call, command_id, self._calls.deadline(context))
            return write_receipt(receipt)
        except Exception as error:  # noqa: BLE001 - every error becomes a status; `abort` logs what is a defect of ours
            await abort(context, error, command_id)

    async def SubmitCommands(self, requests: AsyncIterator[pb.SubmitCommandsRequest], context: Context) -> None:  # noqa: N802
        """See the .proto file."""
        calls = self._calls
        try:
            call = calls.metadata(context)
            gone = calls.gone.setdefault(call.tenant_id, asyncio.Event())

            async def decide(request: pb.SubmitCommandRequest, command_id: str) -> pb.SubmitCommandReply:
                return write_receipt(await submit(calls, request, call, command_id, calls.deadline(context)))

            async with aclosing(CommandStream(decide, calls.closing, gone).results(requests)) as replies:
                async for reply in replies:
                    await context.write(reply)
        except Exception as error:  # noqa: BLE001 - as above
            await abort(context, error)
