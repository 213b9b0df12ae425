"""What the log holds: a commit is one decision, a commit message is the commits of one aggregate that were appended at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aggregate.types.ids import AggregateId, AggregateType, TenantId


@dataclass(frozen=True, slots=True, order=True)
class AggregateKey:
    """Which aggregate: tenant, type and id together."""

    tenant_id: TenantId
    aggregate_type: AggregateType
    aggregate_id: AggregateId

    def __hash__(self) -> int:
        """By the id alone, which keeps its hash: a command looks its aggregate up several times."""
        return hash(self.aggregate_id)

    def __str__(self) -> str:
        return f"{self.aggregate_type} {self.aggregate_id} of tenant {str(self.tenant_id)!r}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command was refused, as a commit keeps it.

    Attributes:
        kind: `rejected`, `decide_error`, `apply_error` or `version_conflict`.
        code: the program's code, or the code of the error record.
        details: canonical JSON: a rejection's details, an error's record, a conflict's `expected` and `actual`.
    """

    kind: str
    code: str
    message: str
    details: bytes = b"{}"


@dataclass(frozen=True, slots=True)
class CommittedEvent:
    """One event inside a commit.

    Attributes:
        payload: canonical JSON with a string `type`.
        type: that type where it is known without reading the payload, "" where not.
    """

    event_id: str
    payload: bytes
    type: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Commit:
    """One decision: the command's id, and the events it led to (none: accepted and nothing happened, or refused).

    Attributes:
        first_version: version of the first event; without events, of the next one to come.
        time: when it was decided; never before the time of the commit before it.
        gas: what deciding and applying cost.
        payload_hash: sha256 of the command's canonical payload, hex.
        command: the payload itself (canonical JSON), None where the manifest says `record_commands: false`.
    """

    command_id: str
    first_version: int
    time: str
    gas: int
    payload_hash: str
    command: bytes | None
    metadata: Mapping[str, str]
    events: tuple[CommittedEvent, ...] = ()
    refused: Refusal | None = None

    @property
    def last_version(self) -> int:
        """Version of the aggregate after this commit."""
        return self.first_version + len(self.events) - 1


@dataclass(frozen=True, slots=True)
class CommitMessage:
    """The body of one message of the log.

    Attributes:
        program: digest of the program that decided, hex.
        generation: number of that program in the list of the aggregate type's programs, from 1.
        commits: 1 to 64, versions without gap.
    """

    tenant_id: TenantId
    aggregate_type: AggregateType
    aggregate_id: AggregateId
    program: str
    generation: int
    commits: tuple[Commit, ...] = field(default=())

    @property
    def key(self) -> AggregateKey:
        """Which aggregate it is of."""
        return AggregateKey(self.tenant_id, self.aggregate_type, self.aggregate_id)

    @property
    def last_version(self) -> int:
        """Version of the aggregate after this message."""
        return self.commits[-1].last_version

    @property
    def only_refusals(self) -> bool:
        """Whether no commit is an acceptance: such a message may expire."""
        return all(commit.refused is not None for commit in self.commits)
