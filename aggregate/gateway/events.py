"""EventService: the events of one aggregate, and those of the whole tenant as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeVar

from aggregate.errors import ValidationError
from aggregate.gateway.calls import Calls, Context, going_down
from aggregate.gateway.errors import abort
from aggregate.gateway.in_time import in_time
from aggregate.gateway.metadata import CallMetadata
from aggregate.gateway.requests import read_version
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.proto.messages import write_event
from aggregate.types import AggregateId, AggregateType, Event

PAGE_EVENTS = 256
PAGE_BYTES = 2**20
"""A reply of ReadEvents holds at most so many events and, unless it is a single one, bytes: clients take 4 MiB unless told otherwise."""

MAX_NAMES = 256
"""Types, and ids, that one subscription may name."""

T = TypeVar("T")


class EventService(pb_grpc.EventServiceServicer):
    """The gRPC methods."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def ReadEvents(self, request: pb.ReadEventsRequest, context: Context) -> None:  # noqa: N802 - gRPC's name
        """See the .proto file."""
        try:
            call = self._calls.metadata(context)
            tenant_id = call.tenant_id
            aggregate_type, aggregate_id = AggregateType(request.aggregate_type), AggregateId(request.aggregate_id)
            after = read_version(request.after_version, "after_version")
            events = self._calls.backend.handler().event_pages(
                tenant_id, aggregate_type, aggregate_id, after_version=after, limit=request.limit or None
            )
            async with aclosing(events), aclosing(pages(self._traced(events, "read events", call))) as replies:
                async for page in replies:
                    await in_time(context.write(pb.ReadEventsReply(events=page)))
        except Exception as error:  # noqa: BLE001 - every error becomes a status; `abort` logs what is a defect of ours
            await abort(context, error)

    async def SubscribeEvents(self, request: pb.SubscribeEventsRequest, context: Context) -> None:  # noqa: N802 - gRPC's name
        """See the .proto file."""
        try:
            call = self._calls.metadata(context)
            tenant_id, trace = call.tenant_id, self._calls.backend.trace
            for field, names in (("aggregate_types", request.aggregate_types), ("aggregate_ids", request.aggregate_ids)):
                if len(names) > MAX_NAMES:
                    raise ValidationError(f"at most {MAX_NAMES} names, got {len(names)}", field)
            with self._calls.subscriptions.admitted(tenant_id):
                followed = self._calls.backend.feed().follow(
                    tenant_id,
                    after=request.after_position,
                    types=frozenset(map(AggregateType, request.aggregate_types)),
                    ids=frozenset(map(AggregateId, request.aggregate_ids)),
                )
                await context.send_initial_metadata(())  # the caller may want to know that it is connected before the first event comes
                async with aclosing(until(followed, self._calls.closing)) as stored:
                    async for group in stored:
                        reply = pb.SubscribeEventsReply(events=map(write_event, group.events), position=group.position)
                        await in_time(context.write(reply))
                        if trace is not None:
                            trace.read("deliver events", call.context, tenant_id, group.events)
            raise going_down()
        except ValidationError as error:
            await abort(context, ValidationError(error.description, "after_position") if error.field == "position" else error)
        except Exception as error:  # noqa: BLE001 - as above
            await abort(context, error)

    async def _traced(self, groups: AsyncIterator[list[Event]], name: str, call: CallMetadata) -> AsyncGenerator[list[Event], None]:
        """The groups, each with a span where somebody wants spans."""
        trace = self._calls.backend.trace
        async for group in groups:
            if trace is not None:
                trace.read(name, call.context, call.tenant_id, group)
            yield group


async def pages(groups: AsyncIterator[list[Event]]) -> AsyncGenerator[list[pb.Event], None]:
    """The events, as many at a time as one reply may hold."""
    page: list[pb.Event] = []
    size = 0
    async for group in groups:
        for event in map(write_event, group):
            more = event.ByteSize()
            if page and (len(page) == PAGE_EVENTS or size + more > PAGE_BYTES):
                yield page
                page, size = [], 0
            page.append(event)
            size += more
    if page:
        yield page


async def until(items: AsyncIterator[T], end: asyncio.Event) -> AsyncGenerator[T, None]:
    """The items, until `end` is set."""
    ended = asyncio.ensure_future(end.wait())
    following: asyncio.Future[T] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(items))
            await asyncio.wait({ended, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                yield following.result()
            except StopAsyncIteration:
                return
    finally:
        ended.cancel()
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        if isinstance(items, AsyncGenerator):
            await items.aclose()
