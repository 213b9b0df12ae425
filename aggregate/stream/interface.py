"""What the handler asks of the log. `StreamClient` does it on JetStream, `aggregate.testing.MemoryStream` in memory; one contract suite
holds
both to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aggregate.types import AggregateId, AggregateKey, TenantId


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of the log.

    Attributes:
        sequence: in the stream, from 1.
        time: the server's timestamp, Unix nanoseconds.
        expires: whether it was written with a time to live.
    """

    sequence: int
    subject: str
    body: bytes
    time: int
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def expires(self) -> bool:
        return "Nats-TTL" in self.headers


@dataclass(frozen=True, slots=True)
class Appended:
    """The server's word on an append.

    Attributes:
        sequence: of the message; for a duplicate, the one the server names (to be verified by reading it).
        duplicate: the server had seen the message id within its window: says nothing of our command until the message is read.
    """

    sequence: int
    duplicate: bool


class EventLog(Protocol):
    """The log, as the handler sees it. All methods are safe for many tasks at once."""

    @property
    def max_payload(self) -> int:
        """Bytes a message may have on the server connected to (headers included)."""

    async def append(
        self,
        key: AggregateKey,
        body: bytes,
        headers: Mapping[str, str],
        *,
        expected: int,
        claim_owner: bool = False,
        ttl: float | None = None,
        timeout: float = 5.0,
    ) -> Appended:
        """Append one commit message under its condition: `expected` is the sequence of the subject's last message (0: there is none).

        `claim_owner` writes the owner message of the aggregate id in the same atomic batch: with the first message that is not refusals
        alone, where the id must have no owner yet. `ttl` (seconds): the message holds nothing but refusals and expires. `headers` hold
        `Nats-Msg-Id` and what else section Formats lists.

        Raises:
            StreamConflict: definitely not stored, the condition does not hold (error codes 10071 and 10164; or the owner message exists).
            MessageTooLarge: definitely not stored.
            StreamError: definitely not stored, for another reason the server named.
            Unavailable: not sent: not connected, or the breaker is open.
            OutcomeUnknown: sent, no certain answer (timeout, disconnect, any error code not known to be a refusal).
        """

    async def last(self, key: AggregateKey) -> StoredMessage | None:
        """The last message of the aggregate, from the stream's leader. Raises Unavailable, StreamError."""

    async def read(self, key: AggregateKey, *, after: int, upto: int, leader: bool = False, most: int | None = None) -> list[StoredMessage]:
        """The aggregate's messages with `after < sequence <= upto`, in order; not many more than `most`, the first ones.

        Direct gets, which a lagging replica may answer with less; `leader=True` asks the leader for each (slow, certain). Raises
        Unavailable, StreamError.
        """

    async def read_since(self, key: AggregateKey, *, milliseconds: int, upto: int) -> list[StoredMessage]:
        """The aggregate's messages that the server stored at or after a Unix time, up to a sequence, in order (0 ms: all)."""

    async def message_at(self, sequence: int) -> StoredMessage | None:
        """One message of the stream by its sequence, from the leader; None where there is none."""

    async def owner(self, aggregate_id: AggregateId) -> TenantId | None:
        """The tenant that an aggregate id belongs to (scope `global`), from the leader; None while it belongs to none."""

    async def confirm(self, subject: str, sequence: int) -> bool:
        """Whether `sequence` is still the last of `subject` (0: still empty), proven by a committed write where reads prove nothing
        (replicas > 1).

        Raises Unavailable, StreamError; False is certain.
        """

    async def register_program(self, aggregate_type: str, digest: str, language: str, source: str) -> int:
        """Keep a program's source and return its generation among those of the type (a new one where the newest has another digest)."""

    def position(self, sequence: int) -> str:
        """The opaque text for a place in the log."""

    def sequence(self, position: str) -> int:
        """The place that a position names. Raises ValidationError for text that is none."""
