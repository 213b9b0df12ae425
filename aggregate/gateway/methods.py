"""Methods as gRPC's server takes them, so that whatever bytes a stranger sends end in a status.

gRPC hands what its deserializer raises neither to the method nor to the caller: it logs a traceback and answers UNKNOWN. Here a message
that cannot be read is INVALID_ARGUMENT, and no line in the log. Methods are coroutine functions that write to their context.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from aggregate.errors import ValidationError
from aggregate.gateway.calls import Context
from aggregate.gateway.errors import abort


class Unreadable:
    """In place of a message that cannot be read."""


UNREADABLE = Unreadable()
NO_MESSAGE = ValidationError("the message is not of the type that the method takes")


class CheckedServer:
    """Stands for a server where generated code adds its methods, and adds them to the real one, checked."""

    def __init__(self, server: grpc.aio.Server, before: Callable[[Any], Any] = lambda service: service) -> None:
        """`before`: what stands before each service."""
        self._server = server
        self._before = before

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Nothing: generated code also calls the one below."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
        """Add the methods of a service."""
        checked = {name: _checked(handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((self._before(grpc.method_handlers_generic_handler(service, checked)),))


def _checked(handler: Any) -> grpc.RpcMethodHandler[Any, Any]:
    """The handler, called for messages that can be read alone."""
    read, write = _tolerant(handler.request_deserializer), handler.response_serializer
    if handler.stream_stream is not None:
        return grpc.stream_stream_rpc_method_handler(_reading(handler.stream_stream), read, write)
    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(_refusing(handler.unary_stream), read, write)
    return grpc.unary_unary_rpc_method_handler(_refusing(handler.unary_unary), read, write)


def _tolerant(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def deserialize(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return UNREADABLE

    return deserialize


def _refusing(method: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
    async def call(request: Any, context: Context) -> Any:
        if request is UNREADABLE:
            await abort(context, NO_MESSAGE)
        return await method(request, context)

    return call


def _reading(method: Callable[[AsyncIterator[Any], Context], Awaitable[Any]]) -> Callable[[AsyncIterator[Any], Context], Awaitable[Any]]:
    async def call(requests: AsyncIterator[Any], context: Context) -> Any:
        return await method(_readable(requests), context)

    return call


async def _readable(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        if request is UNREADABLE:
            raise NO_MESSAGE
        yield request
