"""Between the messages of the gRPC surface and our values."""

from __future__ import annotations

import json

from aggregate.errors import DocumentError, ErrorRecord, ValidationError
from aggregate.gateway.interface import Canonical
from aggregate.gateway.metadata import CallMetadata, command_metadata
from aggregate.proto import aggregate_pb2 as pb
from aggregate.types import AggregateId, AggregateState, AggregateType, Command, Document, Event, Receipt, Version


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
        metadata=command_metadata(request.metadata, call),
        expected_version=read_version(request.expected_version, "expected_version") if request.HasField("expected_version") else None,
    )


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


def write_receipt(receipt: Receipt) -> pb.SubmitCommandReply:
    """The reply to an accepted command."""
    return pb.SubmitCommandReply(
        command_id=receipt.command_id,
        tenant_id=receipt.tenant_id,
        aggregate_id=receipt.aggregate_id,
        version=receipt.version,
        position=receipt.position,
        duplicate=receipt.duplicate,
        gas_used=receipt.gas_used,
        events=[write_event(event) for event in receipt.events],
    )


def write_event(event: Event) -> pb.Event:
    """An event's envelope."""
    return pb.Event(
        tenant_id=event.tenant_id,
        event_id=event.event_id,
        aggregate_type=event.aggregate_type,
        aggregate_id=event.aggregate_id,
        version=event.version,
        event_type=event.event_type,
        payload=event.payload.text.decode(),
        command_id=event.command_id,
        timestamp=event.timestamp,
        metadata=event.metadata,
        position=event.position,
    )


def write_state(state: AggregateState) -> pb.GetReply:
    """An aggregate's state."""
    return pb.GetReply(
        tenant_id=state.tenant_id,
        aggregate_type=state.aggregate_type,
        aggregate_id=state.aggregate_id,
        version=state.version,
        state=state.state.text.decode(),
        state_hash=state.state_hash,
        position=state.position,
    )
