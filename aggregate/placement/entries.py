"""The placement document as it is written: names, kinds and bounds of its members."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Literal

from pydantic import Field

from aggregate.config.entries import Entry
from aggregate.config.fields import Address, Tenant

NODE_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
NodeName = Annotated[str, Field(pattern=NODE_PATTERN)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$")]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
MAX_NODES = 1_000
MAX_TENANTS = 10_000


class NodeEntry(Entry):
    """A node."""

    grpc: Address | None = Field(None, description="host:port where the other nodes and the gateway reach its gRPC server.")
    admin: Address | None = Field(None, description="host:port of its admin server.")
    labels: dict[Label, Annotated[str, Field(max_length=128)]] = Field({}, description="Labels, as the machine's in the Swarm.")
    weight: Annotated[int, Field(ge=0, le=1000)] = Field(
        1, description="Its share of the ring; 0: only what is pinned to it or in its range."
    )


class RingEntry(Entry):
    """The ring."""

    vnodes: Annotated[int, Field(ge=1, le=10_000)] = Field(default=128, description="Points on the ring of a node of weight 1.")


class DrainingEntry(Entry):
    """A tenant on the move: its node takes no commands of it until then."""

    to: NodeName = Field(description="Where it goes.")
    until: Moment = Field(description="RFC 3339 time at which the mark ends by itself.")
    migration: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="The migration that drains it.")


class PlacementFile(Entry):
    """A placement document."""

    v: Literal[1] = Field(1, description="Version of the format.")
    epoch: Annotated[int, Field(ge=0, le=2**53)] = Field(default=0, description="Number of the document: one more with every change.")
    nodes: dict[NodeName, NodeEntry] = Field({}, max_length=MAX_NODES, description="The nodes by name.")
    tenants: dict[Tenant, NodeName] = Field(
        {}, max_length=MAX_TENANTS, description="Tenants that are pinned: to a node, or to a range of `tenant_ranges`."
    )
    tenant_ranges: dict[str, NodeName | list[NodeName] | None] = Field(
        {}, description="Ranges of first characters (`a-m`), each to a node, to several, or (null) to those labelled `tenant_range: a-m`."
    )
    ring: RingEntry = Field(RingEntry(), description="The ring, for every other tenant.")
    draining: dict[Tenant, DrainingEntry] = Field({}, description="Tenants on the move; written by migrations.")


def known_names(keys: Sequence[str | int]) -> Collection[str]:
    """The names allowed in the mapping at `keys`."""
    kinds: dict[str, type[Entry]] = {"nodes": NodeEntry, "ring": RingEntry, "draining": DrainingEntry}
    return (kinds.get(str(keys[0]), PlacementFile) if keys else PlacementFile).model_fields
