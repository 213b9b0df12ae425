"""Requests of strangers, checked: each mistake names its field."""

from __future__ import annotations

import json

from aggregate.errors import DocumentError, ErrorRecord, ValidationError
from aggregate.gateway.interface import Canonical
from aggregate.gateway.metadata import CallMetadata, command_metadata
from aggregate.proto import aggregate_pb2 as pb
from aggregate.types import AggregateId, AggregateType, Command, Document, Version


def read_command(request: pb.SubmitCommandRequest, call: CallMetadata, command_id: str, canonical: Canonical) -> Command:
    """The command of a request.

    Raises:
        ValidationError: names the field.
    """
    return Command(
        tenant_id=call.tenant_id,
        aggregate_type=AggregateType(request.aggregate_type),
        aggregate_id=AggregateId(request.aggregate_id),
        payload=read_payload(request.payload, canonical),
        command_id=command_id,
        metadata=command_metadata(request.metadata, _own_context(request), call),
        expected_version=read_version(request.expected_version, "expected_version") if request.HasField("expected_version") else None,
    )


def _own_context(request: pb.SubmitCommandRequest) -> dict[str, str]:
    """The context that the command brings itself."""
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
    # For a look at `type` alone floats do, and unlike an int a float may have any number of digits.
    value = json.loads(document.text, parse_int=float)
    if not isinstance(value, dict):
        raise ValidationError('expected a JSON object with a string member "type"', "payload")
    if not isinstance(value.get("type"), str):
        raise ValidationError(f'a string member "type" is {"missing" if "type" not in value else "expected"}', "payload")
    return document
