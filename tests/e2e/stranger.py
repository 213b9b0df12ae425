"""A client that knows nothing of this project but its .proto: run as `python stranger.py ADDRESS STUBS_FOLDER`.

Plays the bank scenario and prints what came back as one JSON object. Imports the stubs that were compiled into STUBS_FOLDER.
"""

import json
import sys
import uuid

import grpc

address, stubs = sys.argv[1:3]
sys.path.insert(0, stubs)

from cloudlysis.aggregate.v1 import aggregate_pb2 as pb  # noqa: E402
from cloudlysis.aggregate.v1 import aggregate_pb2_grpc as rpc  # noqa: E402

ACCOUNT = str(uuid.uuid4())
HEADERS = [
    ("x-tenant-id", "acme"),
    ("x-correlation-id", "corr-1"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
]
channel = grpc.insecure_channel(address)
commands, events, queries = rpc.CommandServiceStub(channel), rpc.EventServiceStub(channel), rpc.QueryServiceStub(channel)


def submit(payload: object, *, headers: object = HEADERS, command_id: str = "", account: str = ACCOUNT, kind: str = "Account") -> dict:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    request = pb.SubmitCommandRequest(command_id=command_id, aggregate_type=kind, aggregate_id=account, payload=text)
    try:
        reply = commands.SubmitCommand(request, metadata=headers, timeout=20)
    except grpc.RpcError as error:
        return {"status": error.code().name, "message": error.details()}
    return {
        "status": "OK",
        "version": reply.version,
        "command_id": reply.command_id,
        "duplicate": reply.duplicate,
        "events": [[event.event_type, json.loads(event.payload), event.event_id] for event in reply.events],
    }


fixed = str(uuid.uuid4())
other = [("x-tenant-id", "globex")]
told = {
    "account": ACCOUNT,
    "scenario": [
        submit({"type": "open_account", "initial_balance": 0}),
        submit({"type": "deposit", "amount": 100}, command_id=fixed),
        submit({"type": "deposit", "amount": 50}),
        submit({"type": "withdraw", "amount": 75}),
        submit({"type": "withdraw", "amount": 1000}),
    ],
    "again": submit({"type": "deposit", "amount": 100}, command_id=fixed),
    "reused": submit({"type": "deposit", "amount": 101}, command_id=fixed),
    "foreign": submit({"type": "deposit", "amount": 1}, headers=other),
    "wrong": {
        "tenant": submit({"type": "deposit", "amount": 1}, headers=[("x-tenant-id", "invalid@tenant!")]),
        "invalid": submit({"invalid": True}),
        "no json": submit("{nope"),
        "type": submit({"type": "deposit", "amount": 1}, kind="Basket"),
        "id": submit({"type": "deposit", "amount": 1}, account="42"),
    },
}
state = queries.Get(pb.GetRequest(aggregate_type="Account", aggregate_id=ACCOUNT), metadata=HEADERS, timeout=20)
told["state"] = {"version": state.version, "state": json.loads(state.state), "hash": state.state_hash}
read = events.ReadEvents(pb.ReadEventsRequest(aggregate_type="Account", aggregate_id=ACCOUNT), metadata=HEADERS, timeout=20)
told["events"] = [[event.version, event.event_type, event.metadata["correlation_id"]] for page in read for event in page.events]
print(json.dumps(told))
