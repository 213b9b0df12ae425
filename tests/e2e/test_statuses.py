"""The table of statuses, line by line, as a client sees it that was made of the .proto file alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from aggregate import errors
from aggregate.config import Settings
from aggregate.gateway.health import HealthStatus
from aggregate.gateway.interface import Backend
from aggregate.gateway.server import CommandServer
from aggregate.types import AggregateId, Event, new_uuid7
from tests.gateway.conftest import FakeHandler, python_canonical

from .contract import Contract, answers

pytest.importorskip("grpc_tools", reason="grpcio-tools (extra `test`) compiles the .proto")

COMMAND_ID = new_uuid7()
DEFECT = errors.ErrorRecord("runtime", "div_zero", "division by zero", 4, 12, "decide", 321)
GAS = errors.ErrorRecord("resource", "out_of_gas", "out of gas", 4, 12, "decide", 321)

TABLE = [
    (errors.ValidationError("expected a UUID", "aggregate_id"), "INVALID_ARGUMENT", "invalid_argument"),
    (
        errors.DocumentError(b'{"kind":"x","code":"y","message":"no JSON","line":1,"column":1,"function":null,"gas_used":0}'),
        "INVALID_ARGUMENT",
        None,
    ),
    (errors.MessageTooLarge(2_000_000, 1_048_576), "INVALID_ARGUMENT", "too_large"),
    (errors.Unauthenticated("no token"), "UNAUTHENTICATED", "unauthenticated"),
    (errors.TenantAccessDenied("b"), "PERMISSION_DENIED", "tenant_access_denied"),
    (errors.Rejected("insufficient_funds", "balance 75", b'{"balance":75}', 9), "FAILED_PRECONDITION", "insufficient_funds"),
    (errors.VersionConflict(3, 5), "ABORTED", "version_conflict"),
    (errors.StreamConflict("10071"), "ABORTED", None),
    (errors.NotFound(COMMAND_ID), "NOT_FOUND", "not_found"),
    (errors.CommandIdReused(COMMAND_ID), "ALREADY_EXISTS", "command_id_reused"),
    (errors.Overloaded("the tenant's quota", "quota_commands", 0.25), "RESOURCE_EXHAUSTED", "quota_commands"),
    (errors.Overloaded("the queue is full", "queue_full"), "RESOURCE_EXHAUSTED", "queue_full"),
    (errors.DecideError(GAS), "RESOURCE_EXHAUSTED", "resource/out_of_gas"),
    (errors.Unavailable("the breaker is open", "breaker_open", 2.5), "UNAVAILABLE", "breaker_open"),
    (errors.Unavailable("the node stops", "draining"), "UNAVAILABLE", "draining"),
    (errors.OutcomeUnknown(COMMAND_ID, "timeout"), "UNAVAILABLE", "outcome_unknown"),
    (errors.DeadlineExceeded("too late"), "DEADLINE_EXCEEDED", "deadline_exceeded"),
    (errors.DecideError(DEFECT), "INTERNAL", "runtime/div_zero"),
    (errors.ApplyError(DEFECT), "INTERNAL", "runtime/div_zero"),
    (errors.RehydrationError("versions 3, 5"), "INTERNAL", None),
    (errors.StorageError("the disk"), "INTERNAL", None),
    (errors.StreamError("10077"), "INTERNAL", None),
    (ZeroDivisionError("password=hunter2"), "INTERNAL", "internal"),
]
LINES = pytest.mark.parametrize(
    ("error", "status", "reason"), TABLE, ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None
)


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract.of_proto()


@pytest.fixture
def handler() -> FakeHandler:
    return FakeHandler()


@pytest.fixture
async def channel(handler: FakeHandler) -> AsyncIterator[grpc.aio.Channel]:
    backend = Backend(lambda: handler, lambda: handler, python_canonical)
    server = CommandServer(backend, Settings(grpc_address="127.0.0.1:0"), lambda: HealthStatus(True, True))
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as opened:
        yield opened
    await server.stop(0)


def check(told: status_pb2.Status, error: Exception, status: str, reason: str | None) -> None:
    """Code, reason and retry of a status, as google.rpc says them."""
    assert told.code == grpc.StatusCode[status].value[0]
    details = {detail.TypeName(): detail.value for detail in told.details}
    info = error_details_pb2.ErrorInfo.FromString(details["google.rpc.ErrorInfo"])
    assert info.domain == "aggregate"
    assert reason is None or info.reason == reason
    assert ("google.rpc.RetryInfo" in details) == bool(getattr(error, "retryable", False))
    assert ("google.rpc.BadRequest" in details) == (status == "INVALID_ARGUMENT")
    assert "hunter2" not in str(told)


def raising(error: Exception) -> Any:
    def decide(_: object) -> None:
        raise error

    return decide


@LINES
async def test_a_command_ends_in_its_status(
    contract: Contract, channel: grpc.aio.Channel, handler: FakeHandler, error: Exception, status: str, reason: str | None
) -> None:
    handler.decide = raising(error)
    request = contract.message(
        "SubmitCommandRequest",
        command_id=COMMAND_ID,
        aggregate_type="Account",
        aggregate_id=AggregateId.new_v7(),
        payload='{"type":"deposit"}',
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await contract.call(channel, "CommandService.SubmitCommand")(request)
    assert caught.value.code().name == status
    told = rpc_status.from_call(caught.value)
    check(told, error, status, reason)
    assert error_details_pb2.ErrorInfo.FromString(told.details[0].value).metadata["command_id"] == COMMAND_ID

    call = contract.call(channel, "CommandService.SubmitCommands")
    [reply] = await answers(call(iter([contract.message("SubmitCommandsRequest", commands=[request])])))
    [result] = reply.results
    assert result.command_id == COMMAND_ID
    check(status_pb2.Status.FromString(result.refused.SerializeToString()), error, status, reason)


@LINES
async def test_a_read_ends_in_its_status(
    contract: Contract,
    channel: grpc.aio.Channel,
    handler: FakeHandler,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: str,
    reason: str | None,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    async def fail_at_once(*_: object, **__: object) -> AsyncIterator[list[Event]]:
        raise error
        yield []

    monkeypatch.setattr(handler, "get", fail)
    monkeypatch.setattr(handler, "event_pages", fail_at_once)
    for method, request in {"QueryService.Get": "GetRequest", "EventService.ReadEvents": "ReadEventsRequest"}.items():
        call = contract.call(channel, method)(contract.message(request, aggregate_type="Account", aggregate_id=AggregateId.new_v7()))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (call if method.startswith("Query") else answers(call))
        check(rpc_status.from_call(caught.value), error, status, reason)


def test_the_table_has_every_status_that_an_error_has() -> None:
    def tree(root: type[errors.AggregateError]) -> set[str]:
        return {root.status}.union(*(tree(child) for child in root.__subclasses__() if child.__module__ == errors.__name__))

    assert {status for _, status, _ in TABLE} == tree(errors.AggregateError)
