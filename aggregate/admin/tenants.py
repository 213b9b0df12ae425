"""`/admin/tenants`, `/admin/drain`, `/admin/undrain`: who is served here, and leading a tenant out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from aggregate.admin.route import Answer, Asked, Route
from aggregate.handler import AggregateHandler
from aggregate.handler.admission import DrainReport
from aggregate.types import TenantId

LONGEST = 3600.0
Seconds = Annotated[float, Field(ge=0, le=LONGEST, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")]
STRICT = ConfigDict(extra="forbid", strict=True)
STATUS = {"drained": 200, "lifted": 409, "timeout": 504}


@dataclass(frozen=True, slots=True)
class HostedTenant:
    """A tenant of this node.

    Attributes:
        aggregate_count: its aggregates that are kept ready in memory.
        last_activity: when its last command was decided here (RFC 3339), null where none was since the node started.
        draining: its commands are refused now.
    """

    tenant_id: str
    aggregate_count: int
    last_activity: str | None
    draining: bool


@dataclass(frozen=True, slots=True)
class DrainRequest:
    """Which tenant ("" is the one without a name), how many seconds to wait for what is under way, and after how many seconds the tenant
    is taken again, whatever happens (null: when somebody lifts the drain).
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    tenant_id: Name
    timeout: Seconds | None = None
    expires: Seconds | None = None


@dataclass(frozen=True, slots=True)
class UndrainRequest:
    """Which tenant."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    tenant_id: Name


@dataclass(frozen=True, slots=True)
class Undrained:
    """`was_draining`: whether there was a drain to lift."""

    tenant_id: str
    was_draining: bool


def tenant_routes(
    handler: Callable[[], AggregateHandler],
    activity: Callable[[], dict[str, str]],
    timeout: float,
    placed: Callable[[], Collection[str]] = tuple,
) -> list[Route]:
    """The routes.

    Args:
        handler: raises Unavailable while there is none.
        activity: the time of each tenant's last command.
        timeout: seconds that a drain waits unless told otherwise.
        placed: tenants that the placement gives to this node.
    """

    async def list_tenants(_: Asked) -> Answer:
        node = handler()
        counts, last, closed = node.tenants(), activity(), set(node.draining_tenants())
        names = sorted({*counts, *last, *closed, *placed()})
        return Answer([HostedTenant(name, counts.get(name, 0), last.get(name), name in closed) for name in names])

    async def drain(asked: Asked) -> Answer:
        wanted: DrainRequest = asked.body
        wait = timeout if wanted.timeout is None else wanted.timeout
        report = await handler().drain_tenant(TenantId(wanted.tenant_id), wait, wanted.expires)
        return Answer(report, STATUS[report.outcome])

    async def undrain(asked: Asked) -> Answer:
        wanted: UndrainRequest = asked.body
        return Answer(Undrained(wanted.tenant_id, handler().undrain_tenant(TenantId(wanted.tenant_id))))

    return [
        Route("GET", "/admin/tenants", "The tenants of this node, by name.", list_tenants, {200: list[HostedTenant]}),
        Route(
            "POST",
            "/admin/drain",
            "Refuse a tenant's new commands and wait for those under way; 504 names what still is, 409: it was lifted meanwhile.",
            drain,
            dict.fromkeys(sorted(STATUS.values()), DrainReport),
            takes=DrainRequest,
        ),
        Route("POST", "/admin/undrain", "Take a tenant's commands again.", undrain, {200: Undrained}, takes=UndrainRequest),
    ]
