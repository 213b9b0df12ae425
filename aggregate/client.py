"""`AggregateClient`: a small async client of a node.

    async with AggregateClient("127.0.0.1:50051", tenant_id="acme") as client:
        receipt = await client.submit("Account", account_id, {"type": "deposit", "amount": 100})
        state = await client.get("Account", account_id)

What a node refuses is raised as the error it was on the node (`aggregate.errors`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from aggregate.errors import AggregateError, ConfigError, Mistake, OutcomeUnknown, Overloaded, Unavailable
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.proto.errors import from_status
from aggregate.proto.messages import read_event, read_receipt, read_state, write_command
from aggregate.proto.query_messages import read_answer, read_watch_events, write_query
from aggregate.types import AggregateState, AggregateType, Command, Document, Event, Receipt, new_uuid7
from aggregate.types.queries import DEFAULT_LIMIT, Answer, Order, Query, Summary, WatchEvent
from aggregate.types.stored_events import StoredEvents

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
"""Each client has a connection of its own: gRPC would share one, with its memory of a failure, so that a new client could not reach a
node that is back. One that is there finds it within about a second (gRPC's own pauses grow to two minutes); an attempt may take five."""

TOGETHER = 64
"""Commands in one message of a stream, and bytes of their payloads, at most: a message costs as much as several commands."""
TOGETHER_BYTES = 64 << 10

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

NOT_THE_NODE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}
"""What gRPC itself says of a connection that breaks: without the node's own details it says nothing of the command."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A connection with TLS.

    Attributes:
        ca: PEM certificates that the node's is checked against; None: those that gRPC brings.
        cert, key: PEM certificate shown to the node, and its key, where it asks for one.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel. Raises ConfigError where a file cannot be read, or one of the pair is missing."""
        if (self.cert is None) != (self.key is None):
            raise ConfigError([Mistake("tls", "a certificate and its key are given together or not at all")])
        try:
            ca, key, cert = (path.read_bytes() if path is not None else None for path in (self.ca, self.key, self.cert))
        except OSError as error:
            raise ConfigError([Mistake("tls", f"{error.filename} cannot be read: {error.strerror}")]) from error
        return grpc.ssl_channel_credentials(ca, key, cert)


class Retry:
    """Pauses between attempts, and how long they may go on without success."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.succeeded()

    def succeeded(self) -> None:
        """Begin anew."""
        self._pause = FIRST_PAUSE
        self._since: float | None = None

    async def again(self, error: AggregateError) -> bool:
        """Pause; False where it has been long enough."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        pause = random.uniform(0.5, 1.0) * max(self._pause, min(error.retry_after or 0.0, LONGEST_PAUSE))
        if now + pause > self._since + self._patience:
            return False
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        await asyncio.sleep(pause)
        return True


class AggregateClient:
    """A connection to one node. Safe for many tasks at once; connects when first used, reconnects by itself."""

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        tenant_id: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        tls: Tls | None = None,
        token: str = "",
    ) -> None:
        """A connection to the node at `address` (host:port).

        Args:
            address: host:port.
            tenant_id: sent as `x-tenant-id` unless it is empty.
            headers: more metadata of every call (`x-correlation-id`, `traceparent`).
            timeout: seconds for a call that does not name its own.
            tls: speak TLS; None: do not.
            token: sent as bearer token.

        Raises:
            ConfigError: a file of `tls` cannot be used.
        """
        own = (("x-tenant-id", tenant_id), ("authorization", f"Bearer {token}" if token else ""))
        self._headers = (*(headers or {}).items(), *((name, value) for name, value in own if value))
        self._timeout = timeout
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, tls.credentials(), options=OPTIONS)
        self._commands = pb_grpc.CommandServiceStub(self._channel)  # type: ignore[no-untyped-call] # generated code
        self._events = pb_grpc.EventServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._query = pb_grpc.QueryServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close(None)

    async def submit(
        self,
        aggregate_type: str,
        aggregate_id: str,
        payload: Any,
        *,
        command_id: str = "",
        metadata: Mapping[str, str] | None = None,
        expected_version: int | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Submit a command; returns when its events are in the log.

        `payload` is a Python value, a `Document`, or JSON text. Without `command_id` a new id is made here, so that it is known whatever
        happens. `timeout` is in seconds.

        Raises:
            OutcomeUnknown, Unavailable: nobody can say whether it was stored; the same call with the error's command id tells.
            AggregateError: the node refused; nothing was stored.
        """
        command_id = command_id or new_uuid7()
        request = pb.SubmitCommandRequest(
            command_id=command_id,
            aggregate_type=aggregate_type,
            aggregate_id=aggregate_id,
            payload=payload if isinstance(payload, str) else Document.of(payload).text.decode(),
            metadata=metadata,
            expected_version=expected_version,
        )
        try:
            reply = await self._commands.SubmitCommand(request, **self._call(timeout))
        except grpc.aio.AioRpcError as error:
            raise _error(error, command_id) from error
        return read_receipt(reply, aggregate_type)

    async def submit_many(
        self, commands: Iterable[Command] | AsyncIterable[Command]
    ) -> AsyncIterator[tuple[int, Receipt | AggregateError]]:
        """Submit a stream of commands; yields (index, outcome) as they are decided, those of one aggregate in order.

        The tenant is the client's, whatever a command says. Of a plain iterable as many are taken at a time as go into one message; what
        has to wait for its next command is an asynchronous one, whose commands are sent as they come.

        Raises:
            AggregateError: the call broke off; what has no outcome yet may be stored or not (the same ids tell).
        """
        types: dict[int, str] = {}

        async def requests() -> AsyncIterator[pb.SubmitCommandsRequest]:
            index = 0
            async for together in _together(commands):
                for command in together:
                    types[index] = command.aggregate_type
                    index += 1
                yield pb.SubmitCommandsRequest(commands=map(write_command, together))

        try:
            async for reply in self._commands.SubmitCommands(requests(), metadata=self._headers):
                for result in reply.results:
                    yield result.index, _outcome(result, types.pop(result.index))
        except grpc.aio.AioRpcError as error:
            raise _error(error) from error

    async def get(
        self,
        aggregate_type: str,
        aggregate_id: str,
        *,
        at_version: int | None = None,
        at_time: str = "",
        timeout: float | None = None,
    ) -> AggregateState:
        """The newest state; or as of a version, or of a time (RFC 3339). Raises NotFound, ValidationError, TenantAccessDenied, ..."""
        request = pb.GetRequest(aggregate_type=aggregate_type, aggregate_id=aggregate_id, at_version=at_version, at_time=at_time)
        try:
            reply = await self._query.Get(request, **self._call(timeout))
        except grpc.aio.AioRpcError as error:
            raise _error(error) from error
        return read_state(reply)

    async def read_events(
        self, aggregate_type: str, aggregate_id: str, *, after_version: int = 0, limit: int = 0, timeout: float | None = None
    ) -> list[Event]:
        """The events of one aggregate after a version, in order; at most `limit` unless it is 0. Raises NotFound, ..."""
        request = pb.ReadEventsRequest(aggregate_type=aggregate_type, aggregate_id=aggregate_id, after_version=after_version, limit=limit)
        try:
            return [read_event(each) async for reply in self._events.ReadEvents(request, **self._call(timeout)) for each in reply.events]
        except grpc.aio.AioRpcError as error:
            raise _error(error) from error

    async def subscribe(
        self, *, after_position: str = "", aggregate_types: Iterable[str] = (), aggregate_ids: Iterable[str] = ()
    ) -> AsyncIterator[StoredEvents]:
        """The tenant's events in the order of the log, from a position on, then as they come; until the iterator is closed.

        Raises:
            Unavailable: the node went away; go on from the last position taken.
        """
        request = pb.SubscribeEventsRequest(after_position=after_position, aggregate_types=aggregate_types, aggregate_ids=aggregate_ids)
        call = self._events.SubscribeEvents(request, metadata=self._headers)
        try:
            async for reply in call:
                yield StoredEvents(tuple(map(read_event, reply.events)), reply.position)
        except grpc.aio.AioRpcError as error:
            raise _error(error) from error
        finally:
            call.cancel()

    async def query(
        self,
        filter: str = "",  # noqa: A002 - the public name
        *,
        aggregate_type: str = "",
        order_by: Iterable[str] = (),
        limit: int = DEFAULT_LIMIT,
        page_token: str = "",
        min_position: str = "",
        summaries: Iterable[Summary] = (),
        group_by: Iterable[str] = (),
        explain: bool = False,
        timeout: float | None = None,
    ) -> Answer:
        """A page of the rows that match a filter, or groups of values over all that match: `query("balance > 50", order_by=["-balance"])`.

        `order_by` are paths, the first counts most; `-` in front is descending. `page_token` is the `next_page_token` of the page before.
        `min_position` (a receipt's position): answer only when that has been projected.

        Raises:
            ValidationError: names the field; a wrong filter is shown with its place.
            DeadlineExceeded, Overloaded, Unavailable.
        """
        question = Query(
            filter=filter,
            aggregate_type=AggregateType(aggregate_type) if aggregate_type else None,
            order_by=tuple(map(Order.of, order_by)),
            limit=limit,
            page_token=page_token,
            min_position=min_position,
            summaries=tuple(summaries),
            group_by=tuple(group_by),
            explain=explain,
        )
        try:
            return read_answer(await self._query.Query(write_query(question), **self._call(timeout)))
        except grpc.aio.AioRpcError as error:
            raise _error(error) from error

    async def watch(
        self,
        filter: str = "",  # noqa: A002 - as above
        *,
        aggregate_type: str = "",
        resume_token: str = "",
        patience: float = 60.0,
    ) -> AsyncGenerator[WatchEvent, None]:
        """The rows that match a filter, then what changes in them, until the iterator is closed; see `WatchEvent`.

        A node that goes away is waited for, `patience` seconds at most, and the live query goes on after the newest token; where that
        was within the first rows, a `lagged` tells that they come again. So whoever takes the items keeps one true view.

        Raises:
            ValidationError: filter, type or token. Overloaded: too many live queries; too slow. Unavailable: the node stayed away.
        """
        token, begun = resume_token, False
        retry = Retry(patience)
        while True:
            call = self._query.Watch(
                pb.WatchRequest(aggregate_type=aggregate_type, filter=filter, resume_token=token), metadata=self._headers
            )
            try:
                async for reply in call:
                    retry.succeeded()
                    for event in read_watch_events(reply):
                        begun = True
                        token = "" if event.kind == "lagged" else event.resume_token or token
                        yield event
                raise Unavailable("the node ended the live query", "ended")
            except (grpc.aio.AioRpcError, Unavailable) as problem:
                error = problem if isinstance(problem, Unavailable) else _error(problem)
                if not isinstance(error, Unavailable) or not await retry.again(error):
                    raise error from problem
            finally:
                call.cancel()
            if begun and not token:
                begun = False
                yield WatchEvent("lagged")

    def _call(self, timeout: float | None) -> dict[str, Any]:
        return {"metadata": self._headers, "timeout": self._timeout if timeout is None else timeout}


async def _together(commands: Iterable[Command] | AsyncIterable[Command]) -> AsyncIterator[Sequence[Command]]:
    """The commands, those together that go into one message."""
    if isinstance(commands, AsyncIterable):
        async for command in commands:
            yield (command,)
        return
    gathered: list[Command] = []
    size = 0
    for command in commands:
        length = len(command.payload.text)
        if gathered and (len(gathered) >= TOGETHER or size + length > TOGETHER_BYTES):
            yield gathered
            gathered, size = [], 0
        gathered.append(command)
        size += length
    if gathered:
        yield gathered


def _outcome(result: pb.CommandResult, aggregate_type: str) -> Receipt | AggregateError:
    if result.HasField("accepted"):
        return read_receipt(result.accepted, aggregate_type)
    status = status_pb2.Status.FromString(result.refused.SerializeToString())
    return from_status(status) or AggregateError(status.message)


def _error(error: grpc.aio.AioRpcError, command_id: str = "") -> AggregateError:
    """The node's error; where it is not the node that speaks, what that means for the caller."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # it asks for no more than an AioRpcError has
    told = from_status(status) if status is not None else None
    if told is not None:
        return told
    words = error.details() or error.code().name
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and command_id:
        return OutcomeUnknown(command_id, "no answer in time")
    if error.code() in NOT_THE_NODE:
        again = f"; if it was sent, command {command_id} may be stored: send it again with the same id" if command_id else ""
        return Unavailable(f"no answer from the node: {words}{again}", "unreachable")
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Overloaded(words)
    return AggregateError(f"{error.code().name}: {words}")
