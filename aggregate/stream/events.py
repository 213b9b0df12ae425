"""The log as events: what is one step above messages, the same for JetStream and for memory."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing

from aggregate.errors import StreamConflict, StreamError, TenantAccessDenied, ValidationError, VersionConflict
from aggregate.stream.codec import decode_message, encode_body, events_of
from aggregate.stream.headers import commit_headers
from aggregate.stream.interface import EventLog, StoredMessage
from aggregate.stream.positions import position_of, sequence_of
from aggregate.stream.programs import Source
from aggregate.stream.subjects import filter_subject
from aggregate.stream.subscription import Passed, Subscription
from aggregate.types import (
    AggregateId,
    AggregateKey,
    AggregateType,
    Commit,
    CommitMessage,
    CommittedEvent,
    Event,
    TenantId,
    Version,
)
from aggregate.types.stored_events import StoredEvents

MAX_FILTERS = 32
"""More subjects than this are narrowed down here, not in the server."""

UNKNOWN_DIGEST = "0" * 64
"""Stands where a program or a command's payload is not known: events that were published without a decision."""


class EventStream(EventLog):
    """Publishing, fetching and following events. A log derives from it and brings the methods of `EventLog` and those below."""

    claims_owners: bool = True
    """Whether an aggregate id belongs to the tenant of its first commit (scope `global`)."""

    @abstractmethod
    async def types_of(self, tenant_id: TenantId, aggregate_id: AggregateId) -> list[AggregateType]:
        """The aggregate types under which a tenant has this id. Raises Unavailable, StreamError."""

    @abstractmethod
    def subject_pages(self, pattern: str) -> AsyncGenerator[tuple[list[str], int], None]:
        """The subjects that a pattern names (see `filter_subject`), sorted, some at a time, with how many there are in all.

        Raises Unavailable, StreamError.
        """

    @abstractmethod
    async def program_source(self, digest: str) -> Source | None:
        """The text of a program that decided once, None where it is not known. Raises Unavailable, StreamError."""

    @abstractmethod
    def subscribe(self, subjects: Sequence[str], *, after: int) -> Subscription:
        """The messages on subjects (wildcards allowed, none overlapping) after a stream sequence, then those that come."""

    def position(self, sequence: int) -> str:
        return position_of(sequence)

    def sequence(self, position: str) -> int:
        return sequence_of(position)

    async def publish_events(self, events: Iterable[Event]) -> str:
        """Append events that were decided elsewhere: consecutive ones of one command and aggregate as one commit, under their versions.

        Events that already stand in the log at their version are not written again. Returns the position of the last commit.

        Raises:
            VersionConflict: the aggregate is not at the version before the first event of a commit.
            TenantAccessDenied: the aggregate id belongs to another tenant.
            StreamError, Unavailable: as for `append`.
        """
        position = 0
        for key, group in itertools.groupby(events, lambda event: (_key_of(event), event.command_id)):
            position = await self._publish_commit(key[0], tuple(group))
        return position_of(position)

    async def fetch_events(
        self,
        tenant_id: TenantId,
        aggregate_id: AggregateId,
        after_version: Version | int = 0,
        aggregate_type: AggregateType | None = None,
    ) -> list[Event]:
        """The events of one aggregate after a version, in order; empty where it is not this tenant's. Type None: the one there is.

        Raises:
            ValidationError: the id stands under several types and none was named.
            StreamError: the history is damaged.
            Unavailable: the log cannot be read now.
        """
        if aggregate_type is None:
            types = await self.types_of(TenantId(tenant_id), AggregateId(aggregate_id))
            if len(types) > 1:
                raise ValidationError(f"the id stands under several types, name one of {', '.join(types)}", "aggregate_type")
            if not types:
                return []
            aggregate_type = types[0]
        key = AggregateKey(TenantId(tenant_id), AggregateType(aggregate_type), AggregateId(aggregate_id))
        found: list[Event] = []
        for stored in await self.read_all(key):
            found += [event for event in events_of(decode_message(stored), position_of(stored.sequence)) if event.version > after_version]
        return found

    async def read_all(self, key: AggregateKey) -> list[StoredMessage]:
        """All messages of an aggregate up to the newest the leader knows, their versions linked without gap.

        Raises:
            StreamError: they do not link.
            Unavailable: the log cannot be read now.
        """
        last = await self.last(key)
        if last is None:
            return []
        for leader in (False, True):
            messages = await self.read(key, after=0, upto=last.sequence, leader=leader)
            if messages and messages[-1].sequence == last.sequence and _gap(messages) is None:
                return messages
        raise StreamError(f"{key}: the history has a gap after sequence {_gap(messages) or 0}")

    async def subscribe_to_events(
        self, tenant_id: TenantId, aggregate_id: AggregateId | None = None, aggregate_type: AggregateType | None = None
    ) -> AsyncGenerator[Event, None]:
        """A tenant's events (of one id, of one type) from the beginning, then those that come. Close the iterator when done."""
        types = [] if aggregate_type is None else [AggregateType(aggregate_type)]
        ids = [] if aggregate_id is None else [AggregateId(aggregate_id)]
        async with aclosing(self.follow(TenantId(tenant_id), types=types, ids=ids)) as feed:
            async for stored in feed:
                for event in stored.events:
                    yield event

    async def follow(
        self, tenant_id: TenantId, *, after: str = "", types: Collection[AggregateType] = (), ids: Collection[AggregateId] = ()
    ) -> AsyncGenerator[StoredEvents, None]:
        """A tenant's events after a position ("": all), then those that come; `types` and `ids` narrow it down (empty: any).

        Raises:
            ValidationError: the text is no position.
            StreamError: a message is damaged.
        """
        start = sequence_of(after)
        wanted_types, wanted_ids = frozenset(types), frozenset(ids)
        async with self.subscribe(_filters(TenantId(tenant_id), wanted_types, wanted_ids), after=start) as subscription:
            async for stored in subscription:
                if isinstance(stored, Passed):
                    continue
                message = decode_message(stored)
                if (wanted_types and message.aggregate_type not in wanted_types) or (wanted_ids and message.aggregate_id not in wanted_ids):
                    continue
                position = position_of(stored.sequence)
                if events := events_of(message, position):
                    yield StoredEvents(tuple(events), position)

    async def _publish_commit(self, key: AggregateKey, events: tuple[Event, ...]) -> int:
        first = int(events[0].version)
        if [int(event.version) for event in events] != list(range(first, first + len(events))):
            raise ValidationError(f"the events of command {events[0].command_id} do not follow one another in version", "version")
        last = await self.last(key)
        at = decode_message(last).last_version if last is not None else 0
        if at >= first and last is not None and await self._already_stands(key, events):
            return last.sequence
        if at != first - 1:
            raise VersionConflict(first - 1, at)
        owner = await self.owner(key.aggregate_id) if last is None and self.claims_owners else key.tenant_id
        if owner not in {None, key.tenant_id}:
            raise TenantAccessDenied(key.tenant_id)
        message = CommitMessage(*_fields(key), program=UNKNOWN_DIGEST, generation=0, commits=(_commit_of(events),))
        headers = commit_headers(message, [event.event_type for event in events])
        try:
            appended = await self.append(
                key, encode_body(message), headers, expected=last.sequence if last is not None else 0, claim_owner=owner is None
            )
        except StreamConflict as error:
            now = await self.last(key)
            raise VersionConflict(first - 1, decode_message(now).last_version if now is not None else 0) from error
        return appended.sequence

    async def _already_stands(self, key: AggregateKey, events: Sequence[Event]) -> bool:
        stored = await self.fetch_events(key.tenant_id, key.aggregate_id, int(events[0].version) - 1, key.aggregate_type)
        return [event.event_id for event in stored[: len(events)]] == [event.event_id for event in events]


def _key_of(event: Event) -> AggregateKey:
    return AggregateKey(event.tenant_id, event.aggregate_type, event.aggregate_id)


def _fields(key: AggregateKey) -> tuple[TenantId, AggregateType, AggregateId]:
    return key.tenant_id, key.aggregate_type, key.aggregate_id


def _commit_of(events: Sequence[Event]) -> Commit:
    first = events[0]
    return Commit(
        command_id=first.command_id,
        first_version=int(first.version),
        time=first.timestamp,
        gas=0,
        payload_hash=UNKNOWN_DIGEST,
        command=None,
        metadata=first.metadata,
        events=tuple(CommittedEvent(event.event_id, event.payload.text) for event in events),
    )


def _gap(messages: Sequence[StoredMessage]) -> int | None:
    """The sequence after which versions do not link, None where they do."""
    version, sequence = 0, 0
    for stored in messages:
        message = decode_message(stored)
        if message.commits[0].first_version != version + 1:
            return sequence
        version, sequence = message.last_version, stored.sequence
    return None


def _filters(tenant_id: TenantId, types: Collection[AggregateType], ids: Collection[AggregateId]) -> list[str]:
    """Subjects that hold what is wanted, and as little else as a server can be asked to keep out."""
    some_types: Sequence[AggregateType | None] = sorted(types) or [None]
    some_ids: Sequence[AggregateId | None] = sorted(ids) or [None]
    if len(some_types) * len(some_ids) > MAX_FILTERS:
        some_ids = [None]
    if len(some_types) > MAX_FILTERS:
        some_types = [None]
    return [filter_subject(tenant_id, kind, name) for kind in some_types for name in some_ids]
