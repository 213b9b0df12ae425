"""QueryService: the state of one aggregate, now or in the past; which aggregates match a filter; what changes in them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from aggregate.errors import AggregateError, ValidationError
from aggregate.gateway.calls import Calls, Context, going_down
from aggregate.gateway.errors import abort
from aggregate.gateway.in_time import in_time
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.proto.messages import write_state
from aggregate.proto.query_messages import read_query, write_answer, write_watch_events
from aggregate.query.interface import LiveQuery, Told
from aggregate.types import AggregateId, AggregateType


@dataclass(slots=True)
class QueryCounts:
    """Queries, for metrics.

    Attributes:
        answered: how many, by the code of the error they ended in ("": none).
        seconds: they took, all together.
    """

    answered: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class QueryService(pb_grpc.QueryServiceServicer):
    """The gRPC methods."""

    def __init__(self, calls: Calls, counts: QueryCounts) -> None:
        self._calls = calls
        self._counts = counts
        self._live: set[LiveQuery] = set()
        self._ending: asyncio.Task[None] | None = None

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.GetReply:  # noqa: N802 - gRPC's name
        """See the .proto file."""
        try:
            tenant_id = self._calls.metadata(context).tenant_id
            state = await self._calls.backend.handler().get(
                tenant_id,
                AggregateType(request.aggregate_type),
                AggregateId(request.aggregate_id),
                at_version=request.at_version if request.HasField("at_version") else None,
                at_time=request.at_time or None,
            )
            return write_state(state)
        except Exception as error:  # noqa: BLE001 - every error becomes a status; `abort` logs what is a defect of ours
            await abort(context, error)

    async def Query(self, request: pb.QueryRequest, context: Context) -> pb.QueryReply:  # noqa: N802 - gRPC's name
        """See the .proto file."""
        started, code = time.perf_counter(), "cancelled"
        try:
            tenant_id = self._calls.metadata(context).tenant_id
            query = read_query(request)
            answer = await self._calls.backend.queries().find(tenant_id, query, deadline=self._calls.deadline(context))
            code = ""
            return write_answer(answer)
        except Exception as error:  # noqa: BLE001 - as above
            code = error.code if isinstance(error, AggregateError) else AggregateError.code
            if isinstance(error, ValidationError) and error.field == "position":
                error = ValidationError(error.description, "min_position")  # the name the caller used
            await abort(context, error)
        finally:
            self._counts.answered[code] += 1
            self._counts.seconds += time.perf_counter() - started

    async def Watch(self, request: pb.WatchRequest, context: Context) -> None:  # noqa: N802 - gRPC's name
        """See the .proto file."""
        live: LiveQuery | None = None
        try:
            tenant_id = self._calls.metadata(context).tenant_id
            kind = AggregateType(request.aggregate_type) if request.aggregate_type else None
            with self._calls.subscriptions.admitted(tenant_id):
                opened = self._calls.backend.queries().live(
                    tenant_id, request.filter, aggregate_type=kind, resume_token=request.resume_token
                )
                async with opened as live:
                    self._end_with_us(live)
                    await context.send_initial_metadata(())  # the caller may want to know that it is connected
                    while True:
                        await in_time(context.write(_reply(await live.next_all())))
        except Exception as error:  # noqa: BLE001 - as above
            await abort(context, error)
        finally:
            if live is not None:
                self._live.discard(live)

    def _end_with_us(self, live: LiveQuery) -> None:
        """End it when the server goes down."""
        self._live.add(live)
        if self._calls.closing.is_set():
            live.end(going_down())
        elif self._ending is None:
            self._ending = asyncio.create_task(self._end_all(), name="end of live queries")

    async def _end_all(self) -> None:
        await self._calls.closing.wait()
        for live in self._live:
            live.end(going_down())


def _reply(tolds: Sequence[Told]) -> pb.WatchReply:
    """What is told at once as one message; each part is made once, for all who are told it."""
    for told in tolds:
        if told.encoded is None:
            told.encoded = write_watch_events(told.events)
    first: pb.WatchReply = tolds[0].encoded
    if len(tolds) == 1:
        return first
    together = pb.WatchReply()
    for told in tolds:
        together.MergeFrom(told.encoded)
    return together
