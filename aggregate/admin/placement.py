"""`/admin/placement`, `/admin/routes/...`, `/admin/reload`: which node has which tenant, and the routes of gateways that follow from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from aggregate.admin.route import Answer, Asked, Route
from aggregate.admin.tenants import Name
from aggregate.placement.entries import NODE_PATTERN
from aggregate.placement.routes import render_nginx, traefik_routes
from aggregate.placement.seat import Seat
from aggregate.types import TenantId

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class PlacementTold:
    """The placement as this node knows it.

    Attributes:
        node: this node's name.
        source: `bucket`, `file`, or `none`.
        revision: in the bucket, 0 where it is not from there.
        trouble: why it may be out of date, "" where it is not.
        document: all of it.
    """

    node: str
    epoch: int
    source: str
    revision: int
    trouble: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """Nothing to say."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """`changed`: whether it was another one before."""

    epoch: int
    source: str
    revision: int
    changed: bool


@dataclass(frozen=True, slots=True)
class MigrateRequest:
    """Which tenant ("" is the one without a name), and the node it goes to."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    tenant_id: Name
    to: Annotated[str, Field(pattern=NODE_PATTERN)]


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did.

    Attributes:
        moved: false where the tenant was there already.
        source: the node it had.
        aggregates: compared while the tenant was served, `events` of them together.
        changed: aggregates compared again after the drain.
        refused_seconds: about as long the tenant's commands were refused.
        epoch: of the placement since then.
    """

    tenant_id: str
    source: str
    target: str
    moved: bool
    aggregates: int
    events: int
    changed: int
    warm_seconds: float
    refused_seconds: float
    epoch: int
    migration: str


def placement_routes(seat: Seat) -> list[Route]:
    """The routes of a node with this place among the others."""
    watch, node = seat.watch, seat.node

    async def tell(_: Asked) -> Answer:
        config = watch.config
        return Answer(PlacementTold(node, config.epoch, watch.source, watch.revision, watch.trouble, config.to_dict()))

    # Of the document alone: every node must render the same, else a gateway that asks them in turn would change its routes each time.
    async def nginx(_: Asked) -> Answer:
        return Answer(render_nginx(watch.config), content_type=TEXT)

    async def traefik(_: Asked) -> Answer:
        return Answer(traefik_routes(watch.config))

    async def reload(_: Asked) -> Answer:
        before = watch.config
        await watch.reload()
        return Answer(Reloaded(watch.config.epoch, watch.source, watch.revision, watch.config != before))

    async def migrate(asked: Asked) -> Answer:
        wanted: MigrateRequest = asked.body
        report = await seat.migrate(TenantId(wanted.tenant_id), wanted.to)
        return Answer(Migrated(**asdict(report)))

    return [
        Route("GET", "/admin/placement", "Which node has which tenant, as this node knows it.", tell, {200: PlacementTold}),
        Route("GET", "/admin/routes/nginx", "Routes for nginx: a file for its `http` block.", nginx, {200: str}, produces=(TEXT,)),
        Route("GET", "/admin/routes/traefik", "Routes for Traefik's HTTP provider.", traefik, {200: dict[str, Any]}),
        Route("POST", "/admin/reload", "Look at the placement in the bucket now.", reload, {200: Reloaded}, takes=ReloadRequest),
        Route(
            "POST",
            "/admin/migrate",
            "Move a tenant to another node; answers when it is there. In case of an error it stays, and the request can be made again.",
            migrate,
            {200: Migrated},
            takes=MigrateRequest,
        ),
    ]
