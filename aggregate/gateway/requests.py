"""Requests of strangers, checked: each mistake names its field."""

from __future__ import annotations

import json

import orjson

from aggregate.errors import DocumentError, ErrorRecord, ValidationError
from aggregate.gateway.interface import Canonical, Trace
from aggregate.gateway.metadata import CallMetadata, command_metadata, completed
from aggregate.proto import aggregate_pb2 as pb
from aggregate.types import AggregateId, AggregateType, Command, Document, Version

_NOTHING: dict[str, str] = {}
_ANY_NUMBER = json.JSONDecoder(parse_int=len, parse_float=len)
"""For a look at `type` alone the numbers do not matter."""


def read_command(
    request: pb.SubmitCommandRequest, call: CallMetadata, command_id: str, canonical: Canonical, trace: Trace | None = None
) -> Command:
    """The command of a request.

    Raises:
        ValidationError: names the field.
    """
    metadata = command_metadata(request.metadata, _own_context(request), call)
    return Command(
        tenant_id=call.tenant_id,
        aggregate_type=AggregateType(request.aggregate_type),
        aggregate_id=AggregateId(request.aggregate_id),
        payload=read_payload(request.payload, canonical),
        command_id=command_id,
        metadata=completed(metadata if trace is None else trace.enter(metadata), command_id),
        expected_version=read_version(request.expected_version, "expected_version") if request.HasField("expected_version") else None,
    )


def _own_context(request: pb.SubmitCommandRequest) -> dict[str, str]:
    """The context that the command brings itself."""
    if not (request.correlation_id or request.traceparent):
        return _NOTHING
    given = {"correlation_id": request.correlation_id, "traceparent": request.traceparent, "tracestate": request.tracestate}
    return {name: value for name, value in given.items() if value}


def read_version(number: int, field: str) -> Version:
    """A version of a request.

    Raises:
        ValidationError: it is too large; names `field`.
    """
    try:
        return Version(number)
    except ValidationError as error:
        raise ValidationError(error.description, field) from None


def read_payload(text: str, canonical: Canonical) -> Document:
    """A command's payload: JSON, an object with a string `type`.

    Raises:
        ValidationError: it is none; names `payload`.
    """
    try:
        document = Document(canonical(text.encode()))
    except DocumentError as error:
        raise ValidationError(ErrorRecord.from_json(error.record).message, "payload") from error
    try:
        value = orjson.loads(document.text)
    except orjson.JSONDecodeError:  # numbers beyond any float, or deeper than it goes
        value = _ANY_NUMBER.decode(document.text.decode())
    if not isinstance(value, dict):
        raise ValidationError('expected a JSON object with a string member "type"', "payload")
    if not isinstance(value.get("type"), str):
        raise ValidationError(f'a string member "type" is {"missing" if "type" not in value else "expected"}', "payload")
    return document
