"""How a call ends in an error. What the caller is told is made in `aggregate.proto.errors` alone."""

from __future__ import annotations

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
    """End the call with `error`."""
    status = rpc_status.to_status(refusal(error, command_id))
    await context.abort(status.code, status.details, status.trailing_metadata)
    raise AssertionError("abort does not return")
