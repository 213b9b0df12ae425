"""Names in the log: one literal subject per aggregate, one per owned aggregate id, one per node for confirmations.

`tenant.<tenant>.aggregate.<type>.<id>`; the empty tenant is the token `~`, outside the tenant alphabet.
"""

from __future__ import annotations

import re

from aggregate.engine import keys
from aggregate.errors import StreamError, quote
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId

STREAM_NAME = "AGGREGATE_EVENTS"
STREAM_SUBJECTS = ("tenant.*.aggregate.>", "owner.*", "confirm.*")

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


def build_subject(tenant_id: TenantId, aggregate_type: AggregateType, aggregate_id: AggregateId) -> str:
    """The subject of an aggregate."""
    return keys.subject(str(tenant_id), str(aggregate_type), str(aggregate_id))  # the compiled twin takes plain strings only


def subject_of(key: AggregateKey) -> str:
    """The subject of an aggregate."""
    return build_subject(key.tenant_id, key.aggregate_type, key.aggregate_id)


def key_of(subject: str) -> AggregateKey:
    """The aggregate whose subject it is.

    Raises:
        StreamError: it is no aggregate's.
    """
    try:
        tenant, aggregate_type, aggregate_id = keys.split_subject(subject)
    except ValueError as error:
        raise StreamError(f"subject {quote(subject)}: {error}") from error
    return AggregateKey(TenantId(tenant), AggregateType(aggregate_type), AggregateId(aggregate_id))


def filter_subject(
    tenant_id: TenantId | None = None, aggregate_type: AggregateType | None = None, aggregate_id: AggregateId | None = None
) -> str:
    """The subjects of all aggregates of a tenant, a type, an id; None is any."""
    tenant = "*" if tenant_id is None else TenantId(tenant_id) or "~"
    kind = "*" if aggregate_type is None else AggregateType(aggregate_type)
    name = "*" if aggregate_id is None else AggregateId(aggregate_id)
    return f"tenant.{tenant}.aggregate.{kind}.{name}"


def owner_subject(aggregate_id: AggregateId) -> str:
    """Where the tenant stands that an aggregate id belongs to."""
    return f"owner.{AggregateId(aggregate_id)}"


def confirm_subject(node_id: str) -> str:
    """Where a node writes to prove that what it read is the newest. Nodes may share one: nothing is read from it."""
    return f"confirm.{_UNFIT.sub('_', node_id) or '_'}"


def subject_matches(pattern: str, subject: str) -> bool:
    """Whether `subject` is one that `pattern` names (`*` one token, `>` all the rest)."""
    wanted, given = pattern.split("."), subject.split(".")
    for index, part in enumerate(wanted):
        if part == ">":
            return len(given) > index
        if index >= len(given) or part not in {"*", given[index]}:
            return False
    return len(wanted) == len(given)
