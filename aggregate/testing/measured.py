"""`MeasuredHandler`: a test handler that counts. `AggregateHandler.new_test_with_metrics` gives one."""

from __future__ import annotations

from typing import Any

from aggregate.handler import AggregateHandler
from aggregate.observability.metrics import Metrics
from aggregate.types import Command, Event


class MeasuredHandler:
    """A handler and its metrics."""

    def __init__(self, handler: AggregateHandler, metrics: Metrics) -> None:
        self.handler = handler
        self.metrics = metrics

    @classmethod
    async def new(cls, **options: Any) -> MeasuredHandler:
        """A new one; `options` are those of `Environment.handler`."""
        metrics = Metrics(["Account"])
        return cls(await AggregateHandler.new_test(observers=(metrics.observe,), **options), metrics)

    async def handle_command(self, command: Command) -> list[Event]:
        """As the handler."""
        return await self.handler.handle_command(command)

    def metrics_export(self) -> str:
        """The metrics in the text format of Prometheus."""
        return self.metrics.export()[0].decode()
