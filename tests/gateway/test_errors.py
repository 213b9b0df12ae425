"""Every error of the tree on the wire and back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from aggregate import errors
from aggregate.proto.errors import from_status, to_status
from aggregate.types import new_uuid7

COMMAND_ID = new_uuid7()
RECORD = errors.ErrorRecord("runtime", "divide_by_zero", "division by zero", 4, 12, "decide", 321)
NOWHERE = errors.ErrorRecord("contract", "bad_output", "decide must give events", None, None, None, 7)
DOCUMENT = json.dumps({**dict.fromkeys(errors.ErrorRecord.__slots__), "message": "not JSON", "gas_used": 0}).encode()

EXAMPLES: list[errors.AggregateError] = [
    errors.AggregateError("something"),
    errors.ValidationError("expected a UUID", "aggregate_id"),
    errors.ValidationError("no field to blame"),
    errors.ConfigError([errors.Mistake("a.yaml:3: b", "unknown"), errors.Mistake("", "missing")]),
    errors.CompileError([errors.ErrorRecord("compile", "", "unknown name", 1, 2, None, 0)]),
    errors.DocumentError(DOCUMENT),
    errors.TenantAccessDenied("b"),
    errors.VersionConflict(3, 5),
    errors.CommandIdReused(COMMAND_ID),
    errors.NotFound(COMMAND_ID),
    errors.ProgramError(RECORD),
    errors.DecideError(RECORD),
    errors.DecideError(NOWHERE),
    errors.Rejected("insufficient_funds", "balance: 75 < 1000", b'{"balance":75}', 40),
    errors.ApplyError(RECORD),
    errors.RehydrationError("versions 3, 5"),
    errors.StorageError("disk"),
    errors.StreamError("10077"),
    errors.StreamConflict("10071"),
    errors.MessageTooLarge(2_000_000, 1_048_576),
    errors.OutcomeUnknown(COMMAND_ID, "timeout: 5 s"),
    errors.OutcomeUnknown(COMMAND_ID),
    errors.Overloaded("queue full", "queue", 0.25),
    errors.Unavailable("breaker open", "breaker_open", 2.5),
    errors.DeadlineExceeded("too late"),
    errors.Unauthenticated("no token"),
]


def classes(root: type[errors.AggregateError] = errors.AggregateError) -> Iterator[type[errors.AggregateError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from classes(child)


def test_no_class_of_the_tree_is_without_example() -> None:
    assert {type(error) for error in EXAMPLES} == set(classes())


@pytest.mark.parametrize("kind", list(classes()), ids=lambda kind: kind.__name__)
def test_each_class_has_a_status_of_grpc_and_its_own_code(kind: type[errors.AggregateError]) -> None:
    assert kind.status in grpc.StatusCode.__members__
    assert [other for other in classes() if other.code == kind.code] == [kind]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_wire(error: errors.AggregateError) -> None:
    status = to_status(error, COMMAND_ID)
    assert status.code == grpc.StatusCode[error.status].value[0]
    back = from_status(status_pb2.Status.FromString(status.SerializeToString()))
    assert type(back) is type(error)
    assert (str(back), back.reason, back.details) == (str(error), error.reason, error.details)
    assert back.retry_after == error.retry_after or (back.retry_after or 0) == (error.retry_after or 0)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_details_are_those_of_google_rpc(error: errors.AggregateError) -> None:
    info, *others = to_status(error, COMMAND_ID).details
    read = error_details_pb2.ErrorInfo.FromString(info.value)
    assert (read.domain, read.reason, read.metadata["command_id"]) == ("aggregate", error.reason, COMMAND_ID)
    names = {other.TypeName() for other in others}
    assert ("google.rpc.RetryInfo" in names) == error.retryable
    if error.status == "INVALID_ARGUMENT":
        assert "google.rpc.BadRequest" in names


def test_what_is_no_error_of_the_tree_is_internal_and_says_nothing() -> None:
    status = to_status(ValueError("password=hunter2"))
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert b"hunter2" not in status.SerializeToString()


def test_a_status_of_somebody_else_is_no_error_of_ours() -> None:
    foreign = status_pb2.Status(code=14, message="upstream connect error")
    assert from_status(foreign) is None
    foreign.details.add().Pack(error_details_pb2.ErrorInfo(reason="X", domain="proxy.example"))
    assert from_status(foreign) is None


def test_a_newer_node_s_words_still_make_an_error() -> None:
    status = to_status(errors.VersionConflict(1, 2))
    info = error_details_pb2.ErrorInfo(reason="new", domain="aggregate", metadata={"code": "never_heard_of"})
    status.details[0].Pack(info)
    assert str(from_status(status)) == status.message
    info.metadata["code"] = "version_conflict"  # of the known kind, but its details are others
    status.details[0].Pack(info)
    assert type(from_status(status)) is errors.AggregateError


@given(st.text(max_size=5000), st.text(max_size=5000), st.dictionaries(st.text(max_size=50), st.text(max_size=5000), max_size=3))
def test_whatever_a_program_says_fits_into_trailing_metadata(code: str, message: str, details: dict[str, str]) -> None:
    error = errors.Rejected(code, message * 5, json.dumps(details, ensure_ascii=False).encode("utf-8", "replace"), 1)
    status = to_status(error, COMMAND_ID)
    percent_encoded = len(status.message.encode()) * 3
    assert len(status.SerializeToString()) * 4 / 3 + percent_encoded < 8192
    assert isinstance(from_status(status), errors.Rejected)
