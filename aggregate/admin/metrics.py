"""`/metrics`: for Prometheus and what speaks its language."""

from __future__ import annotations

from collections.abc import Callable

from aggregate.admin.route import Answer, Asked, Route

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def metrics_routes(export: Callable[[], bytes]) -> list[Route]:
    """The route; `export` makes the text."""

    async def tell(_: Asked) -> Answer:
        return Answer(export(), content_type=TEXT)

    return [Route("GET", "/metrics", "Metrics in the text format of Prometheus.", tell, {200: str}, produces=(TEXT,))]
