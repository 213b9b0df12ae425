"""Queries, answers and live queries as messages and back, side by side so that the two directions agree.

States and values are JSON text, so numbers keep all their digits.
"""

from __future__ import annotations

from collections.abc import Iterable

from aggregate.errors import ValidationError
from aggregate.proto import aggregate_pb2 as pb
from aggregate.types import AggregateId, AggregateType, Document, TenantId
from aggregate.types.json import canonical, parse
from aggregate.types.queries import DEFAULT_LIMIT, Answer, Explanation, Group, Order, Query, Row, Summary, WatchEvent, WatchKind

FUNCTIONS = {"count": pb.Summary.COUNT, "sum": pb.Summary.SUM, "min": pb.Summary.MIN, "max": pb.Summary.MAX}
KINDS: dict[WatchKind, pb.WatchEvent.Kind] = {
    "row": pb.WatchEvent.ROW,
    "added": pb.WatchEvent.ADDED,
    "changed": pb.WatchEvent.CHANGED,
    "no_longer_matching": pb.WatchEvent.NO_LONGER_MATCHING,
    "caught_up": pb.WatchEvent.CAUGHT_UP,
    "lagged": pb.WatchEvent.LAGGED,
}
_FUNCTION_OF = {number: name for name, number in FUNCTIONS.items()}
_KIND_OF: dict[int, WatchKind] = {number: kind for kind, number in KINDS.items()}


def write_query(query: Query) -> pb.QueryRequest:
    """A query as it is sent; its tenant travels as metadata of the call."""
    return pb.QueryRequest(
        aggregate_type=query.aggregate_type or "",
        filter=query.filter,
        order_by=[f"-{order.path}" if order.descending else order.path for order in query.order_by],
        limit=query.limit,
        page_token=query.page_token,
        min_position=query.min_position,
        summaries=[pb.Summary(function=FUNCTIONS[summary.function], path=summary.path) for summary in query.summaries],
        group_by=query.group_by,
        explain=query.explain,
    )


def read_query(request: pb.QueryRequest) -> Query:
    """The query of a request, of a stranger.

    Raises:
        ValidationError: names the field.
    """
    return Query(
        filter=request.filter,
        aggregate_type=AggregateType(request.aggregate_type) if request.aggregate_type else None,
        order_by=tuple(map(Order.of, request.order_by)),
        limit=request.limit or DEFAULT_LIMIT,
        page_token=request.page_token,
        min_position=request.min_position,
        summaries=tuple(map(_read_summary, request.summaries)),
        group_by=tuple(request.group_by),
        explain=request.explain,
    )


def write_answer(answer: Answer) -> pb.QueryReply:
    """The reply to a query."""
    return pb.QueryReply(
        rows=map(write_row, answer.rows),
        next_page_token=answer.next_page_token,
        position=answer.position,
        groups=[pb.Group(key=map(_text, group.key), values=map(_text, group.values)) for group in answer.groups],
        explanation=_write_explanation(answer.explanation) if answer.explanation is not None else None,
    )


def read_answer(reply: pb.QueryReply) -> Answer:
    """The answer in a reply."""
    return Answer(
        rows=tuple(map(read_row, reply.rows)),
        position=reply.position,
        next_page_token=reply.next_page_token,
        groups=tuple(Group(tuple(map(_value, group.key)), tuple(map(_value, group.values))) for group in reply.groups),
        explanation=_read_explanation(reply.explanation) if reply.HasField("explanation") else None,
    )


def write_row(row: Row) -> pb.Row:
    """A row."""
    return pb.Row(
        tenant_id=row.tenant_id,
        aggregate_type=row.aggregate_type,
        aggregate_id=row.aggregate_id,
        version=row.version,
        state=row.document.text.decode(),
        position=row.position,
        time=row.time,
    )


def read_row(row: pb.Row) -> Row:
    """The row in a message."""
    return Row(
        tenant_id=TenantId(row.tenant_id),
        aggregate_type=AggregateType(row.aggregate_type),
        aggregate_id=AggregateId(row.aggregate_id),
        version=row.version,
        document=Document(row.state.encode()),
        position=row.position,
        time=row.time,
    )


def write_watch_events(events: Iterable[WatchEvent]) -> pb.WatchReply:
    """Items of a live query."""
    return pb.WatchReply(
        events=[
            pb.WatchEvent(
                kind=KINDS[event.kind], row=write_row(event.row) if event.row is not None else None, resume_token=event.resume_token
            )
            for event in events
        ]
    )


def read_watch_events(reply: pb.WatchReply) -> list[WatchEvent]:
    """The items of a reply; kinds that a newer node tells and we do not know are left out."""
    return [
        WatchEvent(_KIND_OF[event.kind], read_row(event.row) if event.HasField("row") else None, event.resume_token)
        for event in reply.events
        if event.kind in _KIND_OF
    ]


def _read_summary(summary: pb.Summary) -> Summary:
    function = _FUNCTION_OF.get(summary.function)
    if function is None:
        raise ValidationError(f"a function is one of {', '.join(name.upper() for name in FUNCTIONS)}", "summaries")
    return Summary(function, summary.path)  # type: ignore[arg-type]  # one of the names


def _write_explanation(explanation: Explanation) -> pb.Explanation:
    return pb.Explanation(
        plan=explanation.plan,
        index=explanation.index,
        rows_read=explanation.rows_read,
        gas_used=explanation.gas_used,
        errors=explanation.errors,
        first_error=explanation.first_error,
    )


def _read_explanation(explanation: pb.Explanation) -> Explanation:
    return Explanation(
        explanation.plan,
        explanation.index,
        explanation.rows_read,
        explanation.gas_used,
        explanation.errors,
        explanation.first_error,
    )


def _text(value: object) -> str:
    return canonical(value).decode()


def _value(text: str) -> object:
    return parse(text)
