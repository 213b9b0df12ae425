"""What replaying history finds, and how it is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from aggregate.types import AggregateKey, Commit


class Kind(StrEnum):
    """What can be found when history is replayed."""

    LOG = "log"
    """A message is damaged."""
    PROGRAM = "program"
    """The program that decided is not known any more, or the manifest has no such type."""
    FOLD = "fold"
    """The events cannot be folded."""
    SNAPSHOT = "snapshot"
    """A stored snapshot is not what the events make."""
    STATE = "state"
    """The new program makes another state."""
    COMMAND = "command"
    """The recorded command is not the one that was decided."""
    REFUSED_NOW = "refused_now"
    """What was accepted is refused."""
    ACCEPTED_NOW = "accepted_now"
    """What was refused is accepted."""
    EVENTS = "events"
    """Accepted as before, with other events."""
    EVENT_IDS = "event_ids"
    """The same events under other ids."""
    REFUSAL = "refusal"
    """Refused as before, for another reason."""
    GAS = "gas"
    """It costs another amount of gas."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that came out otherwise: what stands in the log, and what came now."""

    kind: Kind
    stored: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        version: of the aggregate before the commit; for a state or a snapshot, its own.
        sequence: of the message, 0 where it is of none.
        command_id: of the commit, "" where it is of none.
        stored: what the log or the store says. `replayed`: what came now.
    """

    kind: Kind
    version: int
    sequence: int
    command_id: str
    stored: str
    replayed: str

    @classmethod
    def of(cls, found: Difference, commit: Commit, sequence: int) -> Finding:
        """A difference with its place."""
        return cls(found.kind, commit.first_version - 1, sequence, commit.command_id, found.stored, found.replayed)


@dataclass(frozen=True, slots=True)
class Replayed:
    """One aggregate after its replay.

    Attributes:
        version: after all its events (as far as they can be folded).
        state_hash: of the state there.
        commits: that were read.
        decided: of them, those that were decided again.
        snapshot: version of the snapshot compared, None where there was none to compare.
    """

    key: AggregateKey
    version: int = 0
    state_hash: str = ""
    commits: int = 0
    decided: int = 0
    snapshot: int | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts over many aggregates. `kinds`: findings of each kind."""

    aggregates: int = 0
    commits: int = 0
    decided: int = 0
    snapshots: int = 0
    concerned: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, replayed: Replayed) -> None:
        """Count one more."""
        self.aggregates += 1
        self.commits += replayed.commits
        self.decided += replayed.decided
        self.snapshots += replayed.snapshot is not None
        self.concerned += bool(replayed.findings)
        self.kinds.update(str(finding.kind) for finding in replayed.findings)
