"""QueryService: the state of one aggregate, now or in the past."""

from __future__ import annotations

from aggregate.gateway.calls import Calls, Context
from aggregate.gateway.errors import abort
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.proto.messages import write_state
from aggregate.types import AggregateId, AggregateType


class QueryService(pb_grpc.QueryServiceServicer):
    """The gRPC methods."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

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
