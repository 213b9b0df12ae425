"""How a call ends in an error. What the caller is told is made in `aggregate.proto.errors` alone."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NoReturn

import grpc
import structlog
from google.rpc import status_pb2
from grpc_status import rpc_status

from aggregate.errors import AggregateError
from aggregate.proto.errors import to_status

log = structlog.get_logger("aggregate.gateway")


def refusal(error: Exception, command_id: str = "") -> status_pb2.Status:
    """The status that tells of `error`; a defect of ours is logged, because the caller is told nothing of it."""
    if not isinstance(error, AggregateError):
        log.error("unexpected error", command_id=command_id, exc_info=error)
    return to_status(error, command_id)


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: Exception, command_id: str = "") -> NoReturn:
    """End the call with `error`. Where the caller's connection is gone there is nobody to tell: the call is over, and no defect."""
    try:
        if isinstance(error, grpc.aio.InternalError):
            raise error
        status = rpc_status.to_status(refusal(error, command_id))
        told = tuple(context.trailing_metadata() or ())
        await context.abort(status.code, status.details, (*told, *status.trailing_metadata))
    except grpc.aio.InternalError as gone:  # what gRPC raises where it could not send
        raise asyncio.CancelledError from gone
    raise AssertionError("abort does not return")


def _is_defect(record: logging.LogRecord) -> bool:
    """Whether it is one: gRPC reports a reply that found its caller gone as if the method had failed."""
    return not (record.exc_info and isinstance(record.exc_info[1], grpc.aio.InternalError))


logging.getLogger("grpc._cython.cygrpc").addFilter(_is_defect)
