"""`/admin/placement`, `/admin/routes/...`, `/admin/reload`: which node has which tenant, and the routes of gateways that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from aggregate.admin.route import Answer, Asked, Route
from aggregate.placement.routes import render_nginx, traefik_routes
from aggregate.placement.watch import PlacementWatch

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


def placement_routes(watch: PlacementWatch, node: str) -> list[Route]:
    """The routes. `node`: this one's name."""

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

    return [
        Route("GET", "/admin/placement", "Which node has which tenant, as this node knows it.", tell, {200: PlacementTold}),
        Route("GET", "/admin/routes/nginx", "Routes for nginx: a file for its `http` block.", nginx, {200: str}, produces=(TEXT,)),
        Route("GET", "/admin/routes/traefik", "Routes for Traefik's HTTP provider.", traefik, {200: dict[str, Any]}),
        Route("POST", "/admin/reload", "Look at the placement in the bucket now.", reload, {200: Reloaded}, takes=ReloadRequest),
    ]
