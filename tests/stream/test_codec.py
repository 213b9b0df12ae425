"""The body of a commit message: payloads survive byte for byte, damage is named with its place."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate.errors import StreamError, ValidationError
from aggregate.stream.codec import MAX_COMMITS, decode_body, decode_message, encode_body, events_of
from aggregate.stream.interface import StoredMessage
from aggregate.stream.subjects import subject_of
from aggregate.types import Commit, CommitMessage, CommittedEvent, Refusal, new_uuid7
from aggregate.types.json import canonical, parse
from tests.stream.messages import PAYLOAD, new_commit, new_key, new_message

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3) | text
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8)
payloads = st.dictionaries(text, values, max_size=4).map(lambda members: canonical({**members, "type": "happened"}))
refusals = st.builds(Refusal, kind=st.sampled_from(["rejected", "decide_error"]), code=text, message=text, details=payloads)


@st.composite
def messages(draw: st.DrawFn) -> CommitMessage:
    commits = []
    version = 1
    for _ in range(draw(st.integers(1, 4))):
        refused = draw(st.none() | refusals)
        events = () if refused else tuple(CommittedEvent(new_uuid7(), payload) for payload in draw(st.lists(payloads, max_size=3)))
        commits.append(
            Commit(
                command_id=new_uuid7(),
                first_version=version,
                time="2026-01-31T12:00:00.000Z",
                gas=draw(st.integers(0, 10**9)),
                payload_hash="ab" * 32,
                command=draw(st.none() | payloads),
                metadata=draw(st.dictionaries(text, text, max_size=3)),
                events=events,
                refused=refused,
            )
        )
        version += len(events)
    return new_message(new_key(draw(st.sampled_from(["", "tenant-a"]))), *commits)


@given(messages())
@settings(max_examples=60, deadline=None)
def test_what_was_written_is_read(message: CommitMessage) -> None:
    body = encode_body(message)
    assert decode_body(body) == message
    assert encode_body(decode_body(body)) == body


@given(messages())
@settings(max_examples=30, deadline=None)
def test_the_body_is_canonical_json(message: CommitMessage) -> None:
    body = encode_body(message)
    assert canonical(parse(body)) == body


@given(messages(), st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_an_error_with_its_place_or_changes_nothing_but_a_value(message: CommitMessage, data: st.DataObject) -> None:
    body = bytearray(encode_body(message))
    at = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans()):
        del body[at : at + data.draw(st.integers(1, 40))]
    else:
        body[at] = data.draw(st.integers(0, 255))
    outcome = _outcome(bytes(body))
    if isinstance(outcome, StreamError):
        assert any(word in str(outcome) for word in ("character", "byte", "version"))
    else:
        assert json.loads(encode_body(outcome)) == json.loads(body)


def _outcome(body: bytes) -> CommitMessage | StreamError:
    try:
        return decode_body(body)
    except StreamError as error:
        return error


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(StreamError):
        decode_body(noise)


def test_a_later_format_is_refused_by_its_number() -> None:
    members = json.loads(encode_body(new_message(new_key())))
    members["v"] = 2
    members["new"] = {}
    with pytest.raises(StreamError, match="format version 2"):
        decode_body(canonical(members))


def test_a_nesting_without_end_is_refused() -> None:
    body = encode_body(new_message(new_key(), new_commit(command=b"[" * 100_000)))
    with pytest.raises(StreamError, match="JSON value"):
        decode_body(body)


def test_versions_inside_a_message_link() -> None:
    body = encode_body(new_message(new_key(), new_commit(1, 2), new_commit(4)))
    with pytest.raises(StreamError, match="goes on from version 2"):
        decode_body(body)


def test_a_message_holds_one_to_64_commits() -> None:
    key = new_key()
    with pytest.raises(ValidationError):
        encode_body(CommitMessage(key.tenant_id, key.aggregate_type, key.aggregate_id, "cd" * 32, 1, ()))
    with pytest.raises(ValidationError):
        encode_body(new_message(key, *(new_commit(version) for version in range(1, MAX_COMMITS + 2))))


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValidationError, match="surrogate"):
        encode_body(new_message(new_key(), new_commit(metadata={"note": "\ud800"})))


def test_a_body_must_be_of_its_subject() -> None:
    mine, other = new_key(), new_key("tenant-b")
    body = encode_body(new_message(mine))
    assert decode_message(StoredMessage(1, subject_of(mine), body, 0)).key == mine
    with pytest.raises(StreamError, match="sequence 9"):
        decode_message(StoredMessage(9, subject_of(other), body, 0))


def test_events_carry_the_envelope_of_their_commit() -> None:
    message = new_message(new_key(), new_commit(3, 2, metadata={"correlation_id": "c"}), new_commit(5, refused=True))
    first, second = events_of(message, "0:12")
    assert (first.version, second.version) == (3, 4)
    assert first.payload.text == PAYLOAD
    assert first.payload.value["amount"] == Decimal("12345678901234567890.123456789")
    assert (first.event_type, first.position, first.metadata) == ("deposited", "0:12", {"correlation_id": "c"})
    assert first.command_id == message.commits[0].command_id


@pytest.mark.parametrize("payload", [b"{}", b"[]", b'{"type":1}', b'{"type":""}'])
def test_an_event_has_a_type(payload: bytes) -> None:
    message = new_message(new_key(), new_commit(events=0))
    commit = dataclasses.replace(message.commits[0], events=(CommittedEvent(new_uuid7(), payload),))
    with pytest.raises(StreamError, match="without a type"):
        events_of(new_message(message.key, commit), "0:1")
