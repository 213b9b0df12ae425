"""`Router`: a call for a tenant of another node goes there, or is told where to go.

It stands before the services and looks at nothing but the call's metadata: the bytes of messages, metadata, deadline and errors pass
through as they are. One hop: what was passed on is marked, and is not passed on again; whoever gets such a call and is not its node looks
at the placement anew and serves it or refuses it. Where the right node cannot be reached, nothing was sent to it, and this one serves the
call: any node may handle any tenant, only more slowly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

import grpc
from google.rpc import error_details_pb2, status_pb2

from aggregate.config.settings import Settings
from aggregate.errors import Unavailable, ValidationError
from aggregate.gateway.calls import Calls, Context
from aggregate.gateway.errors import abort
from aggregate.gateway.metadata import TENANT
from aggregate.gateway.peers import Peers
from aggregate.placement import PlacementNode
from aggregate.placement.ownership import Ownership
from aggregate.types import TenantId

FORWARDED = "x-aggregate-forwarded"
"""Metadata of a call that was passed on: the node that did."""
STATUS_DETAILS = "grpc-status-details-bin"
NOT_PASSED_ON = {FORWARDED, "user-agent", "te", "content-type", "grpc-timeout", "grpc-accept-encoding", "grpc-encoding"}
BROKEN_OFF = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
}
"""What gRPC itself says of a connection that breaks; a node's own words come with details."""

Mode = Literal["forward", "redirect", "serve"]


class NotOwner(Unavailable):
    """The call is for another node. `moved`: it was for this one when it began."""

    def __init__(self, tenant: TenantId, node: str, owner: PlacementNode, *, moved: bool = False) -> None:
        where = f" ({owner.grpc})" if owner.grpc is not None else ""
        go_on = "; go on there, with the newest resume token" if moved else ""
        text = f"tenant {str(tenant)!r} is served by {owner.id}{where}, not by {node}{go_on}"
        super().__init__(text, "moved" if moved else "not_owner", 0.1)
        self._details = {"node": owner.id, **({"address": owner.grpc} if owner.grpc is not None else {})}

    @property
    def details(self) -> dict[str, str]:
        return self._details


@dataclass(frozen=True, slots=True)
class Routing:
    """How calls find their nodes."""

    ownership: Ownership
    mode: Mode
    peers: Peers

    @classmethod
    def of_settings(cls, settings: Settings, ownership: Ownership) -> Routing:
        """As the settings ask for; a node that answers queries alone has no tenants and serves all. Raises ConfigError: a file of
        certificates cannot be read.
        """
        peers = Peers.of_settings(settings)
        ownership.on_changed(peers.keep)
        return cls(ownership, "serve" if settings.role == "query" else settings.routing, peers)


class Router(grpc.GenericRpcHandler):  # type: ignore[type-arg] # it takes none while it runs
    """Stands before the handler of one service."""

    def __init__(self, inner: grpc.GenericRpcHandler[Any, Any], calls: Calls, routing: Routing) -> None:
        self._inner = inner
        self._calls = calls
        self._routing = routing

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The method: ours, or one that passes the call on."""
        local = self._inner.service(handler_call_details)
        routing = self._routing
        if local is None or routing.mode == "serve" or not routing.ownership.known:
            return local
        tenant, marked = self._tenant(handler_call_details.invocation_metadata or ())
        if tenant is None or routing.ownership.is_mine(tenant):
            return local
        return _Call(self._calls, routing, handler_call_details.method, local, tenant, marked).handler()

    def _tenant(self, metadata: Any) -> tuple[TenantId | None, bool]:
        """Whose call it is (None: its metadata are wrong, which our own method will say), and whether it was passed on."""
        tenant, marked = "", False
        for name, value in metadata:
            if name == TENANT:
                tenant = value
            elif name == FORWARDED:
                marked = True
        try:
            return (TenantId(tenant) if tenant else self._calls.rules.default), marked
        except ValidationError:
            return None, marked


class _Call:
    """One call for a tenant that is, as far as we know, another node's."""

    def __init__(self, calls: Calls, routing: Routing, method: str, local: Any, tenant: TenantId, marked: bool) -> None:
        self._calls = calls
        self._routing = routing
        self._method = method
        self._local = local
        self._tenant = tenant
        self._marked = marked
        self._began = False
        self._greeted = False

    def handler(self) -> grpc.RpcMethodHandler[Any, Any]:
        """A method for bytes, of the kind of the local one."""
        write = self._write
        if self._local.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(self._stream_stream, None, write)
        if self._local.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._unary_stream, None, write)
        return grpc.unary_unary_rpc_method_handler(self._unary_unary, None, write)

    def _write(self, message: Any) -> bytes:
        """Bytes of another node as they are, messages of our own method as it writes them."""
        return message if isinstance(message, bytes) else self._local.response_serializer(message)

    async def _unary_unary(self, request: bytes, context: Context) -> Any:
        async def pass_on(channel: grpc.aio.Channel) -> Any:
            call = channel.unary_unary(self._method, None, None)(request, **self._outgoing(context))
            await self._send_initial(call, context)
            answer = await call
            context.set_trailing_metadata(tuple(await call.trailing_metadata()))
            return answer

        return await self._routed(context, pass_on, lambda: self._local.unary_unary(self._local.request_deserializer(request), context))

    async def _unary_stream(self, request: bytes, context: Context) -> None:
        async def pass_on(channel: grpc.aio.Channel) -> None:
            await self._pass_answers(channel.unary_stream(self._method, None, None)(request, **self._outgoing(context)), context)

        await self._routed(context, pass_on, lambda: self._local.unary_stream(self._local.request_deserializer(request), context))

    async def _stream_stream(self, requests: AsyncIterator[bytes], context: Context) -> None:
        async def pass_on(channel: grpc.aio.Channel) -> None:
            self._began = True  # what was read of the requests cannot be sent to somebody else
            await self._pass_answers(channel.stream_stream(self._method, None, None)(requests, **self._outgoing(context)), context)

        async def read() -> AsyncIterator[Any]:
            async for request in requests:
                yield self._local.request_deserializer(request)

        await self._routed(context, pass_on, lambda: self._local.stream_stream(read(), context))

    async def _routed(self, context: Context, pass_on: Callable[[grpc.aio.Channel], Any], serve: Callable[[], Any]) -> Any:
        """Pass the call on, serve it, or refuse it."""
        ownership = self._routing.ownership
        try:
            self._calls.metadata(context)  # a stranger's call is not passed on
        except Exception as error:  # noqa: BLE001 - as in every method: each error becomes a status
            await abort(context, error)
        if self._marked:
            await ownership.refresh()
        for last in (False, True):
            owner = ownership.owner(self._tenant)
            if owner is None or owner.id == ownership.node:
                return await serve()
            if self._marked or self._routing.mode == "redirect":
                await abort(context, NotOwner(self._tenant, ownership.node, owner))
            channel = await self._routing.peers.reach(owner.grpc) if owner.grpc is not None else None
            if channel is None:
                return await serve()
            try:
                return await pass_on(channel)
            except grpc.aio.AioRpcError as error:
                if last or self._began or _reason(error) != "not_owner":
                    await self._fail(context, error, owner)
                await ownership.refresh()
                if ownership.owner(self._tenant) == owner:
                    await self._fail(context, error, owner)
        raise AssertionError("the second round ends the call")

    async def _fail(self, context: Context, error: grpc.aio.AioRpcError, owner: PlacementNode) -> None:
        """End the call as the other node did; where it did not say anything, say that."""
        trailing = _trailing(error)
        if error.code() in BROKEN_OFF and all(name != STATUS_DETAILS for name, _ in trailing):
            why = f"{owner.id}, the tenant's node, broke off: {error.details()}; a command may be stored: send it again with the same id"
            await abort(context, Unavailable(why, "owner_lost", 0.1))
        await context.abort(error.code(), error.details() or "", trailing)

    async def _pass_answers(self, call: Any, context: Context) -> None:
        await self._send_initial(call, context)
        async for answer in call:
            self._began = True
            await context.write(answer)
        context.set_trailing_metadata(tuple(await call.trailing_metadata()))

    async def _send_initial(self, call: Any, context: Context) -> None:
        """Hand on the first metadata as soon as they come: among them may be the id of a command that is being decided."""
        initial = tuple(pair for pair in await call.initial_metadata() if pair[0] not in NOT_PASSED_ON)
        if (initial or self._local.response_streaming) and not self._greeted:
            self._greeted = True
            await context.send_initial_metadata(initial)

    def _outgoing(self, context: Context) -> dict[str, Any]:
        metadata = context.invocation_metadata() or ()
        kept = tuple((name, value) for name, value in metadata if name not in NOT_PASSED_ON and not name.startswith("grpc-"))
        return {"metadata": (*kept, (FORWARDED, self._routing.ownership.node)), "timeout": context.time_remaining()}


def _reason(error: grpc.aio.AioRpcError) -> str:
    """The reason that a node gave, "" where it was no node."""
    for name, value in _trailing(error):
        if name == STATUS_DETAILS and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return str(info.reason)
    return ""


def _trailing(error: grpc.aio.AioRpcError) -> tuple[tuple[str, str | bytes], ...]:
    return tuple(cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ()))
