"""SubmitCommand over a real channel."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from aggregate.config.settings import Settings
from aggregate.errors import (
    AggregateError,
    DeadlineExceeded,
    OutcomeUnknown,
    Rejected,
    TenantAccessDenied,
    Unavailable,
    ValidationError,
    VersionConflict,
)
from aggregate.gateway.metadata import completed
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.types import AggregateId, TenantId, new_uuid7

from .conftest import FakeHandler, Gateway

DEPOSIT = {"type": "deposit", "amount": 100}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_receipt_comes_back_whole(gateway: Gateway) -> None:
    target = AggregateId.new_v7()
    async with gateway.client(tenant_id="acme") as client:
        receipt = await client.submit("Account", target, {"type": "deposit", "amount": "12345678901234567890.10"}, metadata={"who": "ann"})
    assert (receipt.tenant_id, receipt.aggregate_type, receipt.aggregate_id) == ("acme", "Account", target)
    assert (receipt.version, receipt.position, receipt.duplicate, receipt.gas_used) == (1, "0:7", False, 12)
    (event,) = receipt.events
    assert event.command_id == receipt.command_id
    assert event.metadata == completed({"who": "ann"}, receipt.command_id)
    assert event.event_type == "done"


async def test_numbers_of_a_payload_stay_exact(gateway: Gateway, handler: FakeHandler) -> None:
    async with gateway.client() as client:
        await client.submit("Account", AggregateId.new_v7(), '{"type": "deposit", "amount": 0.10, "n": 123456789012345678901234567890}')
    (command, _) = handler.seen[0]
    assert command.payload.text == b'{"amount":0.1,"n":123456789012345678901234567890,"type":"deposit"}'


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"payload": "not json"}, "payload"),
        ({"payload": '{"invalid": true}'}, "payload"),
        ({"payload": '{"type": 5}'}, "payload"),
        ({"payload": "[1]"}, "payload"),
        ({"payload": '"deposit"'}, "payload"),
        ({"payload": ""}, "payload"),
        ({"payload": '{"type": "x", "type": "y"}'}, "payload"),
        ({"payload": "[" * 100_000}, "payload"),
        ({"aggregate_type": ""}, "aggregate_type"),
        ({"aggregate_type": "no type!"}, "aggregate_type"),
        ({"aggregate_id": "42"}, "aggregate_id"),
        ({"aggregate_id": ""}, "aggregate_id"),
        ({"command_id": "not-a-uuid"}, "command_id"),
        ({"metadata": {"correlation_id": "corr-1"}}, "metadata.correlation_id"),
        ({"metadata": {"TraceParent": TRACE}}, "metadata.TraceParent"),
        ({"metadata": {"aggregate.node": "x"}}, "metadata.aggregate.node"),
        ({"correlation_id": "two\nlines"}, "correlation_id"),
        ({"metadata": {"a b": "x"}}, "metadata"),
        ({"metadata": {"long": "x" * 2000}}, "metadata.long"),
        ({"metadata": {f"n{i}": "" for i in range(40)}}, "metadata"),
        ({"expected_version": 2**63}, "expected_version"),
    ],
)
async def test_wrong_input_is_refused_by_the_name_of_its_field(
    gateway: Gateway, handler: FakeHandler, change: dict[str, object], field: str
) -> None:
    good = {"aggregate_type": "Account", "aggregate_id": AggregateId.new_v7(), "payload": '{"type":"deposit"}', "command_id": new_uuid7()}
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        stub = pb_grpc.CommandServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.SubmitCommand(pb.SubmitCommandRequest(**{**good, **change}))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(caught.value)
    bad = next(detail for detail in status.details if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR))
    violations = error_details_pb2.BadRequest.FromString(bad.value).field_violations
    assert [violation.field for violation in violations] == [field]
    assert not handler.seen


@pytest.mark.parametrize("tenant", ["invalid@tenant!", "x" * 65, "a b", "a.b"])
async def test_a_bad_tenant_is_refused_by_the_header_s_name(gateway: Gateway, tenant: str) -> None:
    async with gateway.client(tenant_id=tenant) as client:
        with pytest.raises(ValidationError, match="tenant") as caught:
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT)
    assert caught.value.field == "x-tenant-id"


async def test_a_tenant_given_twice_is_refused(gateway: Gateway) -> None:
    async with gateway.client(headers={"X-Tenant-Id".lower(): "a"}, tenant_id="b") as client:
        with pytest.raises(ValidationError, match="more than once"):
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT)


class TestWithTenants:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(grpc_address="127.0.0.1:0", multi_tenancy=True)

    async def test_a_command_without_tenant_is_refused(self, gateway: Gateway) -> None:
        async with gateway.client() as client:
            with pytest.raises(ValidationError, match="required") as caught:
                await client.submit("Account", AggregateId.new_v7(), DEPOSIT)
        assert caught.value.field == "x-tenant-id"

    async def test_one_with_a_tenant_is_taken(self, gateway: Gateway) -> None:
        async with gateway.client(tenant_id="acme") as client:
            assert (await client.submit("Account", AggregateId.new_v7(), DEPOSIT)).tenant_id == "acme"


class TestWithADefaultTenant:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(grpc_address="127.0.0.1:0", multi_tenancy=True, default_tenant=TenantId("house"))

    async def test_a_command_without_tenant_belongs_to_it(self, gateway: Gateway) -> None:
        async with gateway.client() as client:
            assert (await client.submit("Account", AggregateId.new_v7(), DEPOSIT)).tenant_id == "house"


async def test_a_made_command_id_is_told_before_deciding(gateway: Gateway, handler: FakeHandler) -> None:
    told: list[str] = []

    async def wait_for_the_header(command: object) -> None:
        told.extend(value for key, value in await call.initial_metadata() if key == "x-command-id")

    handler.decide = wait_for_the_header
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        # Called as a streaming method, because the Python client shows a unary call's headers only together with its reply.
        method = channel.unary_stream(
            "/cloudlysis.aggregate.v1.CommandService/SubmitCommand",
            request_serializer=pb.SubmitCommandRequest.SerializeToString,
            response_deserializer=pb.SubmitCommandReply.FromString,
        )
        request = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload='{"type":"deposit"}')
        call = method(request, timeout=20)
        (reply,) = [each async for each in call]
    assert told == [reply.command_id]


async def test_an_error_names_the_made_command_id(gateway: Gateway, handler: FakeHandler) -> None:
    def reject(_: object) -> None:
        raise Rejected("insufficient_funds", "balance 75 < 1000", b'{"balance":75}', 9)

    handler.decide = reject
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        stub = pb_grpc.CommandServiceStub(channel)
        request = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload='{"type":"withdraw"}')
        call = stub.SubmitCommand(request)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        header = dict(await call.initial_metadata())
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    info = error_details_pb2.ErrorInfo.FromString(rpc_status.from_call(caught.value).details[0].value)
    assert (info.reason, info.domain) == ("insufficient_funds", "aggregate")
    assert info.metadata["command_id"] == header["x-command-id"]
    assert info.metadata["details"] == '{"balance":75}'


async def test_the_caller_s_deadline_reaches_the_handler(gateway: Gateway, handler: FakeHandler) -> None:
    async with gateway.client() as client:
        before = time.monotonic()
        await client.submit("Account", AggregateId.new_v7(), DEPOSIT, timeout=60)
        await client.submit("Account", AggregateId.new_v7(), DEPOSIT, timeout=100_000)
    first, second = (deadline for _, deadline in handler.seen)
    assert first is not None
    assert second is not None
    assert 50 < first - before < 70
    assert second - before < 310  # never longer than an attempt may last


async def test_without_a_deadline_the_setting_holds(gateway: Gateway, handler: FakeHandler) -> None:
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        request = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload='{"type":"deposit"}')
        before = time.monotonic()
        await pb_grpc.CommandServiceStub(channel).SubmitCommand(request)
    deadline = handler.seen[0][1]
    assert deadline is not None
    assert 4 < deadline - before < 6


CALL = {"x-correlation-id": "corr-1", "traceparent": TRACE, "tracestate": "a=1,b=2"}
OTHER = TRACE.replace("b7", "c8")


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, {"correlation_id": "corr-1", "traceparent": TRACE, "tracestate": "a=1,b=2"}),
        ({"correlation_id": "other"}, {"correlation_id": "other", "traceparent": TRACE, "tracestate": "a=1,b=2"}),
        ({"traceparent": OTHER}, {"correlation_id": "corr-1", "traceparent": OTHER}),
        ({"traceparent": OTHER, "tracestate": "c=3"}, {"correlation_id": "corr-1", "traceparent": OTHER, "tracestate": "c=3"}),
        ({"tracestate": "c=3"}, {"correlation_id": "corr-1", "traceparent": TRACE, "tracestate": "a=1,b=2"}),
        ({"traceparent": "garbage"}, {"correlation_id": "corr-1", "traceparent": TRACE, "tracestate": "a=1,b=2"}),
    ],
)
async def test_a_command_s_own_context_goes_over_the_call_s(
    gateway: Gateway, handler: FakeHandler, own: dict[str, str], expected: dict[str, str]
) -> None:
    request = pb.SubmitCommandRequest(
        aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload='{"type":"deposit"}', metadata={"note": "n"}, **own
    )
    async with grpc.aio.insecure_channel(gateway.server.address) as channel:
        await pb_grpc.CommandServiceStub(channel).SubmitCommand(request, metadata=tuple(CALL.items()))
    assert handler.seen[0][0].metadata == {**expected, "note": "n"}


async def test_an_id_in_the_header_of_answers_is_refused(gateway: Gateway, handler: FakeHandler) -> None:
    async with gateway.client(headers={"x-command-id": new_uuid7()}) as client:
        with pytest.raises(ValidationError, match="command_id"):
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT)
    assert not handler.seen


@pytest.mark.parametrize("parent", ["garbage", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "ff" + TRACE[2:], TRACE.upper()])
async def test_what_is_no_trace_is_left_out(gateway: Gateway, handler: FakeHandler, parent: str) -> None:
    async with gateway.client(headers={"traceparent": parent, "tracestate": "a=1"}) as client:
        await client.submit("Account", AggregateId.new_v7(), DEPOSIT)
    command = handler.seen[0][0]
    assert command.metadata == completed({}, command.command_id)


async def test_a_bad_correlation_id_is_refused(gateway: Gateway) -> None:
    async with gateway.client(headers={"x-correlation-id": "has space"}) as client:
        with pytest.raises(ValidationError) as caught:
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT)
    assert caught.value.field == "x-correlation-id"


@pytest.mark.parametrize(
    "error",
    [
        TenantAccessDenied("b"),
        VersionConflict(3, 5),
        Unavailable("breaker open", "breaker_open", 2.5),
        DeadlineExceeded("the deadline passed before the append"),
        OutcomeUnknown(new_uuid7(), "timeout"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_the_client_raises_what_the_node_raised(gateway: Gateway, handler: FakeHandler, error: AggregateError) -> None:
    def refuse(_: object) -> None:
        raise error

    handler.decide = refuse
    async with gateway.client() as client:
        with pytest.raises(type(error)) as caught:
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT, command_id=getattr(error, "command_id", ""))
    assert str(caught.value) == str(error)
    assert caught.value.reason == error.reason
    assert caught.value.retry_after == error.retry_after


async def test_a_defect_tells_nothing_of_the_inside(gateway: Gateway, handler: FakeHandler) -> None:
    def break_down(_: object) -> None:
        raise KeyError("secret of another tenant")

    handler.decide = break_down
    async with gateway.client() as client:
        with pytest.raises(AggregateError, match="internal error") as caught:
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT)
    assert "secret" not in str(caught.value)


async def test_a_node_that_is_not_there_is_unavailable(gateway: Gateway) -> None:
    await gateway.server.stop(0)
    async with gateway.client() as client:
        with pytest.raises(Unavailable, match="no answer from the node") as caught:
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT)
    assert caught.value.reason == "unreachable"


async def test_an_answer_that_does_not_come_in_time_is_an_unknown_outcome(gateway: Gateway, handler: FakeHandler) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    handler.decide = hang
    command_id = new_uuid7()
    async with gateway.client() as client:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT, command_id=command_id, timeout=0.2)
    assert caught.value.command_id == command_id
