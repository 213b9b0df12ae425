"""`aggregate dev`, used by a client built from the shipped .proto alone, and its log, read by plain nats-py."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import nats

from tests.cli.processes import ANY_PORTS, environment, running

STRANGER = Path(__file__).parent / "stranger.py"


async def run(*arguments: str) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=pipe, stderr=pipe, env=environment(PYTHONPATH=""))
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def compile_stubs(folder: Path) -> None:
    """Compile the .proto that the package ships, as a stranger would."""
    with resources.as_file(resources.files("aggregate.proto")) as shipped:
        name = "cloudlysis/aggregate/v1/aggregate.proto"
        places = (f"-I{shipped}", f"--python_out={folder}", f"--grpc_python_out={folder}")
        await run("-m", "grpc_tools.protoc", *places, str(shipped / name))


async def log_of(url: str, account: str) -> list[dict[str, Any]]:
    """Every message of the account, as plain nats-py reads it."""
    client = await nats.connect(url)
    try:
        stream = client.jetstream()
        info = await stream.stream_info("AGGREGATE_EVENTS")
        messages = []
        for sequence in range(info.state.first_seq, info.state.last_seq + 1):
            message = await stream.get_msg("AGGREGATE_EVENTS", sequence)
            if message.subject is not None and message.subject.endswith(account):
                messages.append({"subject": message.subject, "headers": message.headers, "body": message.data, "sequence": sequence})
        return messages
    finally:
        await client.close()


async def test_a_client_built_from_the_proto_alone_and_the_log_it_leaves(tmp_path: Path) -> None:
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    await compile_stubs(stubs)
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev:
        told = json.loads(await run(str(STRANGER), dev.ready["grpc"], str(stubs)))
        messages = await log_of(dev.ready["nats"], told["account"])
        assert (await dev.stop())[0] == 0

    scenario = told["scenario"]
    assert [(each["status"], each.get("version")) for each in scenario[:4]] == [("OK", 1), ("OK", 2), ("OK", 3), ("OK", 4)]
    assert scenario[4]["status"] == "FAILED_PRECONDITION"
    assert "insufficient funds" in scenario[4]["message"]
    assert told["again"] == {**scenario[1], "duplicate": True}
    assert told["reused"]["status"] == "ALREADY_EXISTS"
    assert told["foreign"]["status"] == "PERMISSION_DENIED"
    assert {name: each["status"] for name, each in told["wrong"].items()} == dict.fromkeys(told["wrong"], "INVALID_ARGUMENT")
    fields = {"tenant": "x-tenant-id", "invalid": "payload", "no json": "payload", "type": "aggregate_type", "id": "aggregate_id"}
    assert {name: each["message"].split(":")[0] for name, each in told["wrong"].items()} == fields
    balance = b'{"balance":75,"owner":null}'
    assert told["state"] == {"version": 4, "state": json.loads(balance), "hash": hashlib.sha256(balance).hexdigest()}
    assert told["events"] == [
        [1, "account_opened", "corr-1"],
        [2, "deposited", "corr-1"],
        [3, "deposited", "corr-1"],
        [4, "withdrawn", "corr-1"],
    ]
    check_log(told, messages)


def check_log(told: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    """Subject, headers and body, each exactly as ARCHITECTURE.md (Formats) says."""
    [owner] = [message for message in messages if message["subject"] == f"owner.{told['account']}"]
    assert owner["body"] == b'{"tenant_id":"acme","v":1}'
    assert owner["headers"]["Nats-Expected-Last-Subject-Sequence"] == "0"
    messages = [message for message in messages if message is not owner]
    assert owner["sequence"] == messages[0]["sequence"] - 1
    assert len(messages) == 5
    assert {message["subject"] for message in messages} == {f"tenant.acme.aggregate.Account.{told['account']}"}
    expected = 0
    bodies = []
    for message in messages:
        body = json.loads(message["body"])
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert message["body"] == canonical
        [commit] = body["commits"]
        version = commit["first_version"] + len(commit["events"]) - 1
        headers = dict(message["headers"])
        batch = {name: headers.pop(name) for name in list(headers) if name.startswith("Nats-Batch-")}
        assert bool(batch) == (expected == 0)
        types = ",".join(event["payload"]["type"] for event in commit["events"])
        wanted = {
            "Nats-Msg-Id": commit["command_id"],
            "Nats-Expected-Last-Subject-Sequence": str(expected),
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "x-correlation-id": "corr-1",
            "Aggregate-Version": str(version),
            "Aggregate-Commits": "1",
        }
        if types:
            wanted["Aggregate-Events"] = types
        if "refused" in commit:
            wanted["Nats-TTL"] = headers["Nats-TTL"]
            assert headers["Nats-TTL"] in {"3600s", "1h", "3600"}
        assert headers == wanted
        assert set(body) == {"v", "tenant_id", "aggregate_type", "aggregate_id", "program", "generation", "commits"}
        assert (body["v"], body["tenant_id"], body["aggregate_type"], body["generation"]) == (1, "acme", "Account", 1)
        members = {"command_id", "first_version", "time", "gas", "payload_hash", "command", "metadata", "events"}
        assert set(commit) == members | ({"refused"} if "refused" in commit else set())
        payload = json.dumps(commit["command"], sort_keys=True, separators=(",", ":")).encode()
        assert commit["payload_hash"] == hashlib.sha256(payload).hexdigest()
        bodies.append(commit)
        expected = message["sequence"]
    assert [commit["first_version"] for commit in bodies] == [1, 2, 3, 4, 5]
    assert [[event["payload"]["type"] for event in commit["events"]] for commit in bodies] == [
        ["account_opened"],
        ["deposited"],
        ["deposited"],
        ["withdrawn"],
        [],
    ]
    assert bodies[4]["refused"] == {
        "kind": "rejected",
        "code": "insufficient_funds",
        "message": "insufficient funds",
        "details": {"balance": 75},
    }
    assert [commit["command_id"] for commit in bodies[:4]] == [each["command_id"] for each in told["scenario"][:4]]
    assert [event["event_id"] for commit in bodies for event in commit["events"]] == [
        event[2] for each in told["scenario"][:4] for event in each["events"]
    ]
