"""What the clients of a campaign saw and what the log holds afterwards: plain values, so that a checker can be a pure function of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One aggregate."""

    tenant: str
    type: str
    id: str

    @property
    def subject(self) -> str:
        return f"tenant.{self.tenant}.aggregate.{self.type}.{self.id}"


class Kind(StrEnum):
    """What an answer says.

    `NOT_STORED` promises that this attempt left nothing behind; `UNRESOLVED` promises nothing. `UNEXPECTED` is an error that no fault
    excuses.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DENIED = "denied"
    REUSED = "reused"
    NOT_STORED = "not stored"
    UNRESOLVED = "unresolved"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event as a client was given it, or as the log holds it."""

    version: int
    event_id: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one attempt. `sent` and `heard` are seconds of one monotonic clock."""

    kind: Kind
    sent: float
    heard: float
    payload: Mapping[str, Any]
    code: str = ""
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    duplicate: bool = False
    events: tuple[SeenEvent, ...] = ()
    key: Key | None = None


@dataclass(slots=True)
class Told:
    """A command and everything its client was told of it; an attempt whose answer never came left an unresolved one.

    Attributes:
        foreign: sent by a tenant to whom the aggregate id does not belong.
    """

    key: Key
    command_id: str
    payload: Mapping[str, Any]
    expected_version: int | None = None
    foreign: bool = False
    answers: list[Answer] = field(default_factory=list)

    @property
    def resolved(self) -> bool:
        """Whether the client knows what became of it."""
        return any(answer.kind in {Kind.ACCEPTED, Kind.REFUSED, Kind.DENIED} for answer in self.answers)


@dataclass(frozen=True, slots=True)
class Read:
    """A state that a node said was the newest at some moment between `asked` and `heard`."""

    key: Key
    asked: float
    heard: float
    version: int
    state: Any


@dataclass(slots=True)
class History:
    """All that the clients saw.

    Attributes:
        followed: by tenant, the events that a subscription gave, in its order.
        lasting_refusals: no refusal expires before the log is read; else a refused command may be decided anew.
    """

    told: list[Told] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    followed: dict[str, list[tuple[Key, SeenEvent]]] = field(default_factory=dict)
    lasting_refusals: bool = True


@dataclass(frozen=True, slots=True)
class LoggedRefusal:
    """Why a commit refuses."""

    kind: str
    code: str
    message: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LoggedCommit:
    """One commit of a message."""

    command_id: str
    first_version: int
    time: str
    command: Mapping[str, Any] | None
    events: tuple[SeenEvent, ...]
    refused: LoggedRefusal | None

    @property
    def last_version(self) -> int:
        return self.first_version + len(self.events) - 1


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """One message of the log. `owner` is set where it says whose an aggregate id is; else it has a `key` and commits."""

    sequence: int
    subject: str
    headers: Mapping[str, str]
    key: Key | None = None
    commits: tuple[LoggedCommit, ...] = ()
    owner: str | None = None
