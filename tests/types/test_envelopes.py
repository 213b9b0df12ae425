"""Command, event, snapshot: checked where they are made, whole on the way out and back."""

from __future__ import annotations

import json

import pytest

from aggregate.errors import ValidationError
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, Document, Event, Snapshot, TenantId, Version, new_uuid7


def test_members_are_checked_and_made_their_kinds() -> None:
    command = Command("a", "Account", str(AggregateId.new_v7()).upper(), {"type": "x", "n": 1.50}, expected_version=3)  # type: ignore[arg-type]
    kinds = (TenantId, AggregateType, AggregateId, Document, Version)
    members = (command.tenant_id, command.aggregate_type, command.aggregate_id, command.payload, command.expected_version)
    assert [type(each) for each in members] == list(kinds)
    assert command.payload.text == b'{"n":1.5,"type":"x"}'
    assert command.type == "x"


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"tenant_id": "a.b"}, "x-tenant-id"),
        ({"aggregate_type": "1"}, "aggregate_type"),
        ({"aggregate_id": "x"}, "aggregate_id"),
        ({"command_id": "x"}, "command_id"),
        ({"expected_version": -1}, "version"),
    ],
)
def test_a_wrong_member_is_named(members: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Command.new_test(**members)  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize("payload", [{"no": "type"}, {"type": 5}, [1], "x", None])
def test_a_payload_without_a_type_has_none(payload: object) -> None:
    assert Command.new_test({} if payload is None else payload).type is None


def test_ids_of_commands_are_canonical() -> None:
    command_id = new_uuid7()
    assert Command.new_test(command_id=command_id.upper()).command_id == command_id


@pytest.mark.parametrize("kind", [Command, Event, Snapshot])
def test_unknown_and_missing_members_are_refused(kind: type[Command] | type[Event] | type[Snapshot]) -> None:
    members = json.loads(json.dumps(kind.new_test().to_dict()))
    assert kind.from_dict(members).to_dict() == members
    with pytest.raises(ValidationError, match="unknown member 'extra'"):
        kind.from_dict({**members, "extra": 1})
    with pytest.raises(ValidationError, match="lacks 'aggregate_id'"):
        kind.from_dict({name: value for name, value in members.items() if name != "aggregate_id"})


def test_an_event_is_named_by_its_payload() -> None:
    assert Event.new_test({"type": "opened"}).event_type == "opened"


def test_the_key_says_which_aggregate() -> None:
    snapshot = Snapshot.new_test()
    assert snapshot.key == AggregateKey(snapshot.tenant_id, snapshot.aggregate_type, snapshot.aggregate_id)
    assert str(snapshot.key) == f"Account {snapshot.aggregate_id} of tenant 'tenant-a'"
