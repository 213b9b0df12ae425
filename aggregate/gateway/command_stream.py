"""One SubmitCommands call: many commands under way at once, handed over in the order they came, as fast as the results are taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from aggregate.errors import ValidationError
from aggregate.gateway.calls import going_down, moved
from aggregate.gateway.errors import refusal
from aggregate.proto import aggregate_pb2 as pb
from aggregate.types import new_uuid7

MAX_COMMANDS = 256
"""Commands in one message, and results in one reply."""

MAX_UNDER_WAY = 512
"""Commands of one call that are read and whose results are not taken yet: then the node stops reading, and gRPC the sender."""

REPLY_BYTES = 2**20
"""A reply is not added to beyond this; clients take 4 MiB unless told otherwise, and one result is at most what NATS takes."""

Decide = Callable[[pb.SubmitCommandRequest, str], Awaitable[pb.SubmitCommandReply]]


class CommandStream:
    """The state of one call.

    A command's result takes its slot until it is written, so a caller who does not read results cannot make the node keep them.
    """

    def __init__(self, decide: Decide, closing: asyncio.Event, gone: asyncio.Event) -> None:
        """`closing`: set when the node goes down; `gone`: when the tenant goes elsewhere."""
        self._decide = decide
        self._closing = closing
        self._gone = gone
        self._slots = asyncio.Semaphore(MAX_UNDER_WAY)
        self._results: asyncio.Queue[pb.CommandResult | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def results(self, requests: AsyncIterator[pb.SubmitCommandsRequest]) -> AsyncGenerator[pb.SubmitCommandsReply, None]:
        """The replies, each with the results there are.

        Raises:
            ValidationError: a message that is no list of 1 to 256 commands; the commands before it got their results.
            Unavailable: the node is going down; every command that was read got its result.
        """
        reader = asyncio.create_task(self._read_all(requests))
        try:
            while (result := await self._results.get()) is not None:
                ready, size = [result], result.ByteSize()
                while len(ready) < MAX_COMMANDS and size < REPLY_BYTES and not self._results.empty():
                    following = self._results.get_nowait()
                    if following is None:
                        self._results.put_nowait(None)
                        break
                    ready.append(following)
                    size += following.ByteSize()
                yield pb.SubmitCommandsReply(results=ready)
                for _ in ready:
                    self._slots.release()
            await reader
        finally:
            reader.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(reader, *self._tasks, return_exceptions=True)

    async def _read_all(self, requests: AsyncIterator[pb.SubmitCommandsRequest]) -> None:
        """Start every command; afterwards, in good and bad, wait until each has its result and mark the end."""
        closed, gone = asyncio.create_task(self._closing.wait()), asyncio.create_task(self._gone.wait())
        reading = asyncio.create_task(self._read(requests))
        try:
            await asyncio.wait({closed, gone, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise going_down() if closed.done() else moved()
            await reading
        finally:
            closed.cancel()
            gone.cancel()
            reading.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
            self._results.put_nowait(None)

    async def _read(self, requests: AsyncIterator[pb.SubmitCommandsRequest]) -> None:
        index = 0
        async for message in requests:
            if not 1 <= len(message.commands) <= MAX_COMMANDS:
                raise ValidationError(f"a message holds 1 to {MAX_COMMANDS} commands, got {len(message.commands)}", "commands")
            for request in message.commands:
                await self._slots.acquire()
                self._start(index, request)
                index += 1

    def _start(self, index: int, request: pb.SubmitCommandRequest) -> None:
        task = asyncio.create_task(self._run(index, request))  # tasks begin in the order they are made
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, index: int, request: pb.SubmitCommandRequest) -> None:
        command_id = request.command_id or new_uuid7()
        result = pb.CommandResult(index=index, command_id=command_id)
        try:
            result.accepted.CopyFrom(await self._decide(request, command_id))
        except Exception as error:  # noqa: BLE001 - every error becomes a status; `refusal` logs what is a defect of ours
            result.refused.MergeFromString(refusal(error, command_id).SerializeToString())
        self._results.put_nowait(result)
