"""`/health` and `/ready`: how the node is, and whether it takes commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from aggregate.admin.route import Answer, Asked, Route
from aggregate.gateway.health import Check, HealthStatus


@dataclass(frozen=True, slots=True)
class Health:
    """`healthy`: everything the node works with is there. See `HealthStatus` for the rest."""

    healthy: bool
    ready: bool
    nats_connected: bool
    storage_connected: bool
    active_aggregates: int
    in_flight: int
    engine: str
    node: str
    version: str
    durability: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether commands are taken.

    Attributes:
        reasons: why not.
        warnings: what somebody should look at, though commands are taken.
        durability: what an acknowledgement means now.
        checks: each part by its name.
    """

    ready: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    durability: str
    checks: dict[str, Check]


def health_routes(health: Callable[[], HealthStatus]) -> list[Route]:
    """The routes.

    `/health` is 200 as long as the node can answer at all: whoever restarts what is unhealthy must not restart a node because NATS is
    away. What is missing stands in the body. `/ready` is 503 with the reasons while the node takes no commands.
    """

    async def tell_health(_: Asked) -> Answer:
        status = health()
        members = {name: value for name, value in asdict(status).items() if name != "checks"}
        return Answer(Health(healthy=status.healthy, ready=status.ready, **members))

    async def tell_ready(_: Asked) -> Answer:
        status = health()
        checks = {check.name: check for check in status.checks}
        body = Readiness(status.ready, status.reasons, status.warnings, status.durability, checks)
        return Answer(body, 200 if status.ready else 503)

    return [
        Route("GET", "/health", "How the node is; 200 as long as it can answer.", tell_health, {200: Health}),
        Route(
            "GET",
            "/ready",
            "Whether the node takes commands; 503 with the reasons if not.",
            tell_ready,
            {200: Readiness, 503: Readiness},
        ),
    ]
