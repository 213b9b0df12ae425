"""Headers: a fixed list, and nothing in a value that could become another header."""

from __future__ import annotations

import pytest

from aggregate.errors import ValidationError
from aggregate.stream.headers import EVENT_TYPES, EVENT_TYPES_LIMIT, MESSAGE_ID, commit_headers, header_size, header_value, parse_headers
from tests.stream.messages import new_commit, new_key, new_message

BAD = ["", "a b", "a\r\nNats-Rollup: all", "\x7f", "é", "x" * 129, "a\n", "\x00"]


@pytest.mark.parametrize("value", BAD)
def test_a_value_that_is_not_fit_is_refused_by_the_name_of_its_field(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        header_value(value, "x-correlation-id")
    assert caught.value.field == "x-correlation-id"


@pytest.mark.parametrize("value", BAD[1:])
def test_metadata_that_is_no_header_value_is_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        commit_headers(new_message(new_key(), new_commit(metadata={"correlation_id": value})))


def test_headers_of_a_raw_block() -> None:
    head = b"NATS/1.0\r\na: b\r\nc: d:e\r\n\r\n"
    assert parse_headers(head) == {"a": "b", "c": "d:e"}
    assert header_size({"a": "b", "c": "d:e"}) == len(head)
    assert parse_headers(b"") == {}


def test_only_the_first_command_is_described() -> None:
    message = new_message(new_key(), new_commit(1, metadata={"correlation_id": "one"}), new_commit(2, metadata={"correlation_id": "two"}))
    headers = commit_headers(message)
    assert headers["x-correlation-id"] == "one"
    assert headers[MESSAGE_ID] == message.commits[0].command_id
    assert commit_headers(message, message_id="qualified")[MESSAGE_ID] == "qualified"


def test_types_are_distinct_and_bounded() -> None:
    message = new_message(new_key())
    assert commit_headers(message, ["b", "a", "b"])[EVENT_TYPES] == "b,a"
    assert commit_headers(message, ["a", "with space", "c,d"])[EVENT_TYPES] == "a,*"
    assert commit_headers(message, ["é"])[EVENT_TYPES] == "*"
    assert EVENT_TYPES not in commit_headers(message, [])
    long = commit_headers(message, [f"{'t' * 100}{number}" for number in range(100)])[EVENT_TYPES]
    assert len(long) <= EVENT_TYPES_LIMIT
    assert long.endswith(",*")
