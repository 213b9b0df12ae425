"""Messages for tests."""

from __future__ import annotations

from aggregate.stream.codec import encode_body
from aggregate.stream.headers import commit_headers
from aggregate.types import AggregateId, AggregateKey, AggregateType, Commit, CommitMessage, CommittedEvent, Refusal, TenantId, new_uuid7

PAYLOAD = b'{"amount":12345678901234567890.123456789,"note":"\xc3\xa9 \\"}{[","type":"deposited"}'


def new_key(tenant: str = "tenant-a", aggregate_type: str = "Account") -> AggregateKey:
    return AggregateKey(TenantId(tenant), AggregateType(aggregate_type), AggregateId.new_v7())


def new_commit(first_version: int = 1, events: int = 1, *, refused: bool = False, **members: object) -> Commit:
    given = {
        "command_id": new_uuid7(),
        "first_version": first_version,
        "time": "2026-01-31T12:00:00.000Z",
        "gas": 42,
        "payload_hash": "ab" * 32,
        "command": b'{"amount":50,"type":"deposit"}',
        "metadata": {},
        "events": () if refused else tuple(CommittedEvent(new_uuid7(), PAYLOAD) for _ in range(events)),
        "refused": Refusal("rejected", "insufficient_funds", 'no "money"\n', b'{"balance":0}') if refused else None,
    }
    return Commit(**{**given, **members})  # type: ignore[arg-type]


def new_message(key: AggregateKey, *commits: Commit) -> CommitMessage:
    return CommitMessage(key.tenant_id, key.aggregate_type, key.aggregate_id, "cd" * 32, 1, commits or (new_commit(),))


def written(message: CommitMessage) -> tuple[bytes, dict[str, str]]:
    """Body and headers."""
    return encode_body(message), commit_headers(message)
