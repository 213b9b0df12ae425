"""`StoredEvents`: events that were stored at once."""

from __future__ import annotations

from dataclasses import dataclass

from aggregate.types.event import Event


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """The events of one message of the log. `position` is where to go on after them: a place is taken whole or not at all."""

    events: tuple[Event, ...]
    position: str
