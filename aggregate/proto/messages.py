"""Values on the wire: receipts, events, states and commands as messages and back, side by side so that the two directions agree.

Reading a command is not here: what a stranger sent is checked in the gateway.
"""

from __future__ import annotations

from aggregate.proto import aggregate_pb2 as pb
from aggregate.types import AggregateId, AggregateKey, AggregateState, AggregateType, Command, Document, Event, Receipt, TenantId, Version

CONTEXT = frozenset({"correlation_id", "traceparent", "tracestate"})
"""Members of a command's metadata that are no notes of the caller."""


def write_command(command: Command) -> pb.SubmitCommandRequest:
    """A command as it is sent; its tenant travels as metadata of the call, the context in its metadata in fields of its own."""
    context = {name: value for name, value in command.metadata.items() if name in CONTEXT}
    return pb.SubmitCommandRequest(
        command_id=command.command_id,
        aggregate_type=command.aggregate_type,
        aggregate_id=command.aggregate_id,
        payload=command.payload.text.decode(),
        metadata={name: value for name, value in command.metadata.items() if name not in CONTEXT},
        expected_version=command.expected_version,
        **context,
    )


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


def read_receipt(reply: pb.SubmitCommandReply, aggregate_type: str) -> Receipt:
    """The receipt in a reply; the type is the one that was asked for."""
    key = AggregateKey(TenantId(reply.tenant_id), AggregateType(aggregate_type), AggregateId(reply.aggregate_id))
    return Receipt(
        command_id=reply.command_id,
        tenant_id=key.tenant_id,
        aggregate_type=key.aggregate_type,
        aggregate_id=key.aggregate_id,
        version=Version(reply.version),
        position=reply.position,
        duplicate=reply.duplicate,
        gas_used=reply.gas_used,
        events=tuple([read_event(event, key) for event in reply.events]),
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


def read_event(event: pb.Event, of: AggregateKey | None = None) -> Event:
    """The event in an envelope. `of`: the aggregate that it is expected to be of, whose names need no second check."""
    tenant_id, aggregate_type, aggregate_id = event.tenant_id, event.aggregate_type, event.aggregate_id
    if of is None or (tenant_id, aggregate_type, aggregate_id) != (of.tenant_id, of.aggregate_type, of.aggregate_id):
        of = AggregateKey(TenantId(tenant_id), AggregateType(aggregate_type), AggregateId(aggregate_id))
    return Event(
        tenant_id=of.tenant_id,
        aggregate_type=of.aggregate_type,
        aggregate_id=of.aggregate_id,
        version=Version(event.version),
        payload=Document(event.payload.encode()),
        command_id=event.command_id,
        event_id=event.event_id,
        timestamp=event.timestamp,
        event_type=event.event_type,
        metadata=dict(event.metadata),
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


def read_state(reply: pb.GetReply) -> AggregateState:
    """The state in a reply."""
    return AggregateState(
        tenant_id=TenantId(reply.tenant_id),
        aggregate_type=AggregateType(reply.aggregate_type),
        aggregate_id=AggregateId(reply.aggregate_id),
        version=Version(reply.version),
        state=Document(reply.state.encode()),
        state_hash=reply.state_hash,
        position=reply.position,
    )
