"""Aggregate: a multi-tenant, event-sourced aggregate node.

The public names are here, loaded when they are first used: importing one part must not load all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aggregate._version import __version__

if TYPE_CHECKING:
    from aggregate.admin.server import AdminServer
    from aggregate.client import AggregateClient
    from aggregate.config import AggregateManifest, Settings
    from aggregate.gateway.server import CommandServer
    from aggregate.handler import AggregateHandler, AggregateInstance
    from aggregate.node import Node
    from aggregate.placement import ConstraintGenerator, HashRing, TenantPlacementConfig, TenantRange
    from aggregate.runtime import RuntimeExecutor
    from aggregate.storage import StorageClient
    from aggregate.stream import StreamClient
    from aggregate.types import AggregateId, AggregateState, AggregateType, Command, Event, Receipt, Snapshot, TenantId, Version

_HOME = {
    "AdminServer": "admin.server",
    "AggregateClient": "client",
    "AggregateHandler": "handler",
    "AggregateId": "types",
    "AggregateInstance": "handler",
    "AggregateManifest": "config",
    "AggregateState": "types",
    "AggregateType": "types",
    "Command": "types",
    "CommandServer": "gateway.server",
    "ConstraintGenerator": "placement",
    "Event": "types",
    "HashRing": "placement",
    "Node": "node",
    "Receipt": "types",
    "RuntimeExecutor": "runtime",
    "Settings": "config",
    "Snapshot": "types",
    "StorageClient": "storage",
    "StreamClient": "stream",
    "TenantId": "types",
    "TenantPlacementConfig": "placement",
    "TenantRange": "placement",
    "Version": "types",
}

__all__ = [
    "AdminServer",
    "AggregateClient",
    "AggregateHandler",
    "AggregateId",
    "AggregateInstance",
    "AggregateManifest",
    "AggregateState",
    "AggregateType",
    "Command",
    "CommandServer",
    "ConstraintGenerator",
    "Event",
    "HashRing",
    "Node",
    "Receipt",
    "RuntimeExecutor",
    "Settings",
    "Snapshot",
    "StorageClient",
    "StreamClient",
    "TenantId",
    "TenantPlacementConfig",
    "TenantRange",
    "Version",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """The public name, out of the part it lives in."""
    if name not in _HOME:
        raise AttributeError(f"module 'aggregate' has no attribute {name!r}")
    return getattr(import_module(f"aggregate.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
