"""Plan, milestone 2: the core types."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from aggregate.config import AggregateManifest
from aggregate.errors import (
    AggregateError,
    ApplyError,
    ConfigError,
    DecideError,
    ErrorRecord,
    NotFound,
    RehydrationError,
    StorageError,
    StreamError,
    TenantAccessDenied,
    ValidationError,
    VersionConflict,
)
from aggregate.types import AggregateId, AggregateState, AggregateType, Command, Document, Event, Snapshot, TenantId, Version


def test_t2_1_tenant_id_serialization_roundtrip() -> None:
    tenant = TenantId("acme-corp")
    assert json.dumps(tenant) == '"acme-corp"'
    assert TenantId(json.loads(json.dumps(tenant))) == tenant
    adapter = TypeAdapter(TenantId)
    assert adapter.validate_json(adapter.dump_json(tenant)) == tenant
    assert isinstance(adapter.validate_json('"acme-corp"'), TenantId)


def test_t2_2_tenant_id_default() -> None:
    assert TenantId().is_empty()
    assert TenantId() == ""
    assert not TenantId("a").is_empty()


def test_t2_3_aggregate_id_serialization_roundtrip() -> None:
    made = AggregateId.new_v7()
    assert made[14] == "7"
    assert AggregateId(json.loads(json.dumps(made))) == made
    adapter = TypeAdapter(AggregateId)
    assert adapter.validate_json(adapter.dump_json(made)) == made


def test_t2_4_version_increment() -> None:
    version = Version.initial()
    assert version.as_u64() == 0
    assert version.increment().as_u64() == 1
    assert version.as_u64() == 0


def test_t2_5_command_serialization() -> None:
    command = Command.new_test(expected_version=3, metadata={"correlation_id": "x"})
    decoded = Command.from_dict(json.loads(json.dumps(command.to_dict())))
    assert decoded == command
    assert (decoded.command_id, decoded.aggregate_id, decoded.tenant_id) == (command.command_id, command.aggregate_id, command.tenant_id)


def test_t2_6_event_serialization() -> None:
    event = Event.new_test(metadata={"traceparent": "x"}, position="0:5")
    decoded = Event.from_dict(json.loads(json.dumps(event.to_dict())))
    assert decoded == event
    assert (decoded.event_id, decoded.version, decoded.tenant_id) == (event.event_id, event.version, event.tenant_id)


def test_t2_7_snapshot_serialization() -> None:
    snapshot = Snapshot.new_test(program="1" * 64, generation=2, command_ids=((AggregateId.new_v7(), 5),))
    decoded = Snapshot.from_dict(json.loads(json.dumps(snapshot.to_dict())))
    assert decoded == snapshot
    assert (decoded.aggregate_id, decoded.version, decoded.tenant_id) == (snapshot.aggregate_id, snapshot.version, snapshot.tenant_id)
    assert decoded.created_at == snapshot.created_at


def test_t2_8_error_implements_traits() -> None:
    record = ErrorRecord("runtime", "type", "no", 1, 2, "decide", 3)
    errors: list[AggregateError] = [
        TenantAccessDenied(TenantId("other")),
        ValidationError("wrong"),
        VersionConflict(Version(1), Version(2)),
        StorageError("disk"),
        StreamError("log"),
        RehydrationError("history"),
        DecideError(record),
        ApplyError(record),
        NotFound(AggregateId.new_v7()),
    ]
    for error in errors:
        assert isinstance(error, Exception)
        assert str(error)
        assert error.code
        assert error.status
    assert "'other'" in str(errors[0])
    assert (errors[2].details["expected"], errors[2].details["actual"]) == ("1", "2")


def test_t2_9_types_are_shared_between_threads() -> None:
    command, event, snapshot = Command.new_test(), Event.new_test(), Snapshot.new_test()
    state = AggregateState(snapshot.tenant_id, snapshot.aggregate_type, snapshot.aggregate_id, snapshot.version, snapshot.state, "", "0:1")

    def use(_: int) -> tuple[object, ...]:
        return (
            Command.from_dict(command.to_dict()),
            Event.from_dict(event.to_dict()),
            Snapshot.from_dict(snapshot.to_dict()),
            state.state.value["balance"],
            hash((TenantId("a"), AggregateType("Account"), command.aggregate_id, Version(3))),
        )

    with ThreadPoolExecutor(4) as threads:
        results = set(threads.map(lambda number: str(use(number)), range(64)))
    assert len(results) == 1
    for frozen in (command, event, snapshot, state):
        with pytest.raises(AttributeError):
            frozen.tenant_id = TenantId("b")  # type: ignore[misc]


def test_2_10_manifest_names_programs_that_must_exist(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text("aggregates:\n  Account:\n    decide: decide.agl\n    apply: apply.agl\n")
    with pytest.raises(ConfigError) as caught:
        AggregateManifest.load(path)
    assert [mistake.place for mistake in caught.value.mistakes] == [
        f"{path}:3: aggregates.Account.decide",
        f"{path}:4: aggregates.Account.apply",
    ]
    (tmp_path / "decide.agl").write_text("# decide\n")
    (tmp_path / "apply.agl").write_text("# apply\n")
    account = AggregateManifest.load(path).aggregates[AggregateType("Account")]
    assert [source.text for source in account.sources] == ["# decide\n", "# apply\n"]
    assert account.initial == Document.of(None)
