"""What a node says of itself: whether it is well, and whether it can take commands now."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One part that a node needs before it takes commands.

    Attributes:
        name: `config`, `stream`, `storage`, ...
        ok: it is there.
        detail: what is missing, or what there is; for people.
    """

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HealthStatus:
    """A node at one moment.

    Attributes:
        nats_connected: the log can be reached.
        storage_connected: snapshots can be read and written; without them the node goes on, slower.
        active_aggregates: aggregates kept ready in memory.
        in_flight: commands under way.
        reasons: why the node takes no commands now; none: it does.
        warnings: what somebody should look at, though commands are taken.
        durability: what an acknowledgement means now, in one sentence; "" while it is not known.
        checks: the parts, one by one.
    """

    nats_connected: bool
    storage_connected: bool
    active_aggregates: int = 0
    in_flight: int = 0
    engine: str = ""
    node: str = ""
    version: str = ""
    durability: str = ""
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether everything the node works with is there."""
        return self.nats_connected and self.storage_connected

    @property
    def ready(self) -> bool:
        """Whether the node takes commands."""
        return not self.reasons
