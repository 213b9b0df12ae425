"""`/metrics`: for Prometheus and what speaks its language."""

from __future__ import annotations

from collections.abc import Callable

from aggregate.admin.route import Answer, Asked, Route


def metrics_routes(export: Callable[[str], tuple[bytes, str]], produces: tuple[str, ...]) -> list[Route]:
    """The route; `export` makes the text and its content type, one that it `produces`, for an `Accept` header."""

    async def tell(asked: Asked) -> Answer:
        text, content_type = export(asked.accept)
        return Answer(text, content_type=content_type)

    words = "Metrics in the text format of Prometheus, or as OpenMetrics (with exemplars) where that is asked for."
    return [Route("GET", "/metrics", words, tell, {200: str}, produces=produces)]
