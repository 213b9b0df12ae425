"""What others see of a node: a client made of the .proto file alone, and the log read by plain nats-py."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import grpc
import nats
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from aggregate.proto.generate import HERE, SOURCE
from aggregate.types import AggregateId, new_uuid7

from .processes import ANY_PORTS, running

pytest.importorskip("grpc_tools", reason="grpcio-tools (extra `test`) reads the .proto file")

PACKAGE = "cloudlysis.aggregate.v1"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Foreign:
    """A client that knows nothing but the .proto file."""

    def __init__(self, channel: grpc.aio.Channel, descriptors: bytes) -> None:
        self._channel = channel
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors).file:
            self._pool.Add(file)

    def message(self, name: str) -> type:
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))

    def unary(self, service: str, method: str, request: str, reply: str) -> grpc.aio.UnaryUnaryMultiCallable:
        return self._channel.unary_unary(
            f"/{PACKAGE}.{service}/{method}",
            request_serializer=self.message(request).SerializeToString,  # type: ignore[attr-defined]
            response_deserializer=self.message(reply).FromString,  # type: ignore[attr-defined]
        )


def describe(folder: Path) -> bytes:
    (folder / "aggregate.proto").write_text((HERE / SOURCE).read_text())
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--include_imports", "--descriptor_set_out=set", "aggregate.proto"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "set").read_bytes()


async def test_a_foreign_client_plays_the_bank_and_plain_nats_reads_the_log(tmp_path: Path) -> None:
    descriptors = await asyncio.to_thread(describe, tmp_path)
    account, ids = str(AggregateId.new_v7()), [new_uuid7() for _ in range(5)]
    steps = [
        '{"type":"open_account","initial_balance":0}',
        '{"amount":100,"type":"deposit"}',
        '{"type":"deposit","amount":50}',
        '{"type":"withdraw","amount":75.00}',
        '{"type":"withdraw","amount":1000}',
    ]
    headers = (("x-tenant-id", "acme"), ("x-correlation-id", "corr-1"), ("traceparent", TRACE))
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev, grpc.aio.insecure_channel(dev.ready["grpc"]) as channel:
        client = Foreign(channel, descriptors)
        submit = client.unary("CommandService", "SubmitCommand", "SubmitCommandRequest", "SubmitCommandReply")
        request = client.message("SubmitCommandRequest")
        for number, (command_id, step) in enumerate(zip(ids[:4], steps, strict=False), 1):
            fields = {"command_id": command_id, "aggregate_type": "Account", "aggregate_id": account, "payload": step}
            reply = await submit(request(**fields, metadata={"who": "ann"}), metadata=headers)
            assert (reply.version, reply.tenant_id, reply.duplicate) == (number, "acme", False)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await submit(request(command_id=ids[4], aggregate_type="Account", aggregate_id=account, payload=steps[4]), metadata=headers)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        get = client.unary("QueryService", "Get", "GetRequest", "GetReply")
        state = await get(client.message("GetRequest")(aggregate_type="Account", aggregate_id=account), metadata=headers)
        assert json.loads(state.state)["balance"] == 75

        plain = await nats.connect(dev.ready["nats"])
        stream = plain.jetstream()
        messages = [await stream.get_msg("AGGREGATE_EVENTS", seq) for seq in range(1, 7)]
        await plain.close()
        assert (await dev.stop())[0] == 0

    owner, *commits = messages
    assert owner.subject == f"owner.{account}"
    assert owner.data == b'{"tenant_id":"acme","v":1}'
    assert {commit.subject for commit in commits} == {f"tenant.acme.aggregate.Account.{account}"}
    for number, commit in enumerate(commits, 1):
        assert commit.headers is not None
        body = json.loads(commit.data)
        assert commit.data == json.dumps(body, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
        assert {name: body[name] for name in ("v", "tenant_id", "aggregate_type", "aggregate_id", "generation")} == {
            "v": 1,
            "tenant_id": "acme",
            "aggregate_type": "Account",
            "aggregate_id": account,
            "generation": 1,
        }
        (one,) = body["commits"]
        assert one["command_id"] == ids[number - 1] == commit.headers["Nats-Msg-Id"]
        assert one["metadata"]["correlation_id"] == "corr-1" == commit.headers["x-correlation-id"]
        assert one["metadata"]["traceparent"] == TRACE == commit.headers["traceparent"]
        assert commit.headers["Aggregate-Commits"] == "1"
        refused = number == 5
        assert commit.headers["Aggregate-Version"] == str(min(number, 4))
        assert one["first_version"] == min(number, 5)
        assert len(one["events"]) == (0 if refused else 1)
        assert ("Nats-TTL" in commit.headers) == refused == ("refused" in one)
    assert json.loads(commits[3].data)["commits"][0]["command"] == {"amount": 75, "type": "withdraw"}
