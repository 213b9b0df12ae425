"""The way of a command: `AggregateHandler` for all aggregates of a node, `AggregateInstance` for one in memory."""

from aggregate.handler.handler import AggregateHandler
from aggregate.handler.instance import AggregateInstance

__all__ = ["AggregateHandler", "AggregateInstance"]
