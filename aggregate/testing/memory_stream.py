"""`MemoryStream`: the log in memory, held to the same contract as `StreamClient` on JetStream (one server). For tests and trials."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from aggregate.errors import MessageTooLarge, OutcomeUnknown, StreamConflict, Unavailable
from aggregate.stream.events import EventStream
from aggregate.stream.headers import MESSAGE_ID, TIME_TO_LIVE, header_size
from aggregate.stream.interface import Appended, StoredMessage
from aggregate.stream.owners import decode_owner, encode_owner
from aggregate.stream.programs import Source
from aggregate.stream.subjects import confirm_subject, filter_subject, key_of, owner_subject, subject_matches, subject_of
from aggregate.stream.subscription import Passed
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId

DUPLICATE_WINDOW = 120.0
CONFLICT_CODE = 10071

Hook = Callable[[AggregateKey], Awaitable[None]]


class MemoryStream(EventStream):
    """A log that one process keeps for itself.

    Attributes:
        connected: set it to False and nothing can be asked any more.
        before_append, after_append: awaited before and after a message is stored; what they raise, `append` raises. An `OutcomeUnknown`
            out of `after_append` is an answer that got lost; out of `before_append` a message that did.
        requests: how many times the log was asked anything (what a warm command costs).
    """

    def __init__(self, *, max_payload: int = 1 << 20, clock: Callable[[], float] = time.time, claims_owners: bool = True) -> None:
        """`clock` gives Unix seconds."""
        self.connected = True
        self.before_append: Hook | None = None
        self.after_append: Hook | None = None
        self.requests = 0
        self.claims_owners = claims_owners
        self._max_payload = max_payload
        self._clock = clock
        self._messages: dict[int, StoredMessage] = {}  # ascending by sequence
        self._by_subject: dict[str, list[StoredMessage]] = {}
        self._deadlines: dict[int, float] = {}
        self._last_sequence = 0
        self._message_ids: dict[str, tuple[int, float]] = {}
        self._programs: dict[str, list[str]] = {}
        self._sources: dict[str, tuple[str, str]] = {}
        self._subscriptions: list[MemorySubscription] = []

    @property
    def max_payload(self) -> int:
        return self._max_payload

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
        self._ask()
        size = header_size(headers) + len(body)
        if size > self._max_payload:
            raise MessageTooLarge(size, self._max_payload)
        if self.before_append is not None:
            await self.before_append(key)
        appended = self._store(key, body, dict(headers), expected=expected, claim_owner=claim_owner, ttl=ttl)
        if self.after_append is not None:
            await self.after_append(key)
        return appended

    async def last(self, key: AggregateKey) -> StoredMessage | None:
        self._ask()
        return self._last_on(subject_of(key))

    async def read(self, key: AggregateKey, *, after: int, upto: int, leader: bool = False, most: int | None = None) -> list[StoredMessage]:
        self._ask()
        self._expire()
        return [message for message in self._by_subject.get(subject_of(key), ()) if after < message.sequence <= upto][:most]

    async def read_since(self, key: AggregateKey, *, milliseconds: int, upto: int) -> list[StoredMessage]:
        found = await self.read(key, after=0, upto=upto)
        return [message for message in found if message.time >= milliseconds * 1_000_000]

    async def message_at(self, sequence: int) -> StoredMessage | None:
        self._ask()
        self._expire()
        return self._messages.get(sequence)

    async def owner(self, aggregate_id: AggregateId) -> TenantId | None:
        self._ask()
        message = self._last_on(owner_subject(aggregate_id))
        return None if message is None else decode_owner(message.body)

    async def confirm(self, subject: str, sequence: int) -> bool:
        self._ask()
        last = self._last_on(subject)
        return (0 if last is None else last.sequence) == sequence

    async def register_program(self, aggregate_type: str, digest: str, language: str, source: str) -> int:
        self._ask()
        self._sources[digest] = (language, source)
        digests = self._programs.setdefault(aggregate_type, [])
        if not digests or digests[-1] != digest:
            digests.append(digest)
        return len(digests)

    async def types_of(self, tenant_id: TenantId, aggregate_id: AggregateId) -> list[AggregateType]:
        self._ask()
        pattern = filter_subject(tenant_id, None, aggregate_id)
        return sorted({key_of(subject).aggregate_type for subject in self._subjects(pattern)})

    async def list_subjects_for_tenant(self, tenant_id: TenantId) -> list[str]:
        """The subjects of all aggregates of a tenant, sorted."""
        self._ask()
        return sorted(self._subjects(filter_subject(tenant_id)))

    async def subject_pages(self, pattern: str) -> AsyncGenerator[tuple[list[str], int], None]:
        self._ask()
        subjects = sorted(self._subjects(pattern))
        if subjects:
            yield subjects, len(subjects)

    async def program_source(self, digest: str) -> Source | None:
        self._ask()
        found = self._sources.get(digest)
        return None if found is None else Source(*found)

    def subscribe(self, subjects: Sequence[str], *, after: int) -> MemorySubscription:
        subscription = MemorySubscription(self, subjects)
        self._expire()
        for message in self._messages.values():
            if message.sequence > after:
                subscription.offer(message)
        self._subscriptions.append(subscription)
        return subscription

    def write_mark(self) -> int:
        """Put a mark into the log (see `Subscription.mark`); returns its sequence."""
        self._ask()
        self._put(confirm_subject("mark"), b"", {}, 1.0)
        return self._last_sequence

    def drop(self, subscription: MemorySubscription) -> None:
        """Hand nothing more to a subscription."""
        self._subscriptions.remove(subscription)

    def _ask(self) -> None:
        if not self.connected:
            raise Unavailable("not connected to NATS", "nats_disconnected")
        self.requests += 1

    def _expire(self) -> None:
        now = self._clock()
        for sequence in [sequence for sequence, deadline in self._deadlines.items() if deadline <= now]:
            del self._deadlines[sequence]
            message = self._messages.pop(sequence)
            rest = [other for other in self._by_subject[message.subject] if other is not message]
            self._by_subject[message.subject] = rest

    def _last_on(self, subject: str) -> StoredMessage | None:
        self._expire()
        found = self._by_subject.get(subject)
        return found[-1] if found else None

    def _subjects(self, pattern: str) -> set[str]:
        self._expire()
        return {subject for subject, messages in self._by_subject.items() if messages and subject_matches(pattern, subject)}

    def _store(
        self, key: AggregateKey, body: bytes, headers: dict[str, str], *, expected: int, claim_owner: bool, ttl: float | None
    ) -> Appended:
        """As one server does it: in a batch a known message id is found first, else the condition is looked at first."""
        message_id, now = headers[MESSAGE_ID], self._clock()
        seen = self._message_ids.get(message_id)
        known = seen is not None and seen[1] > now
        if claim_owner and known:
            raise OutcomeUnknown(message_id, "the batch holds a message id that is known")
        subject = subject_of(key)
        last = self._last_on(subject)
        actual = 0 if last is None else last.sequence
        if actual != expected:
            raise StreamConflict(f"{subject}: expected sequence {expected}, it is at {actual}", CONFLICT_CODE, actual)
        if claim_owner and self._last_on(owner_subject(key.aggregate_id)) is not None:
            raise StreamConflict(f"{subject}: the aggregate id has an owner", CONFLICT_CODE)
        if known and seen is not None:
            return Appended(seen[0], True)
        if claim_owner:
            self._put(owner_subject(key.aggregate_id), encode_owner(key.tenant_id), {}, None)
        self._put(subject, body, headers, ttl)
        self._message_ids[message_id] = (self._last_sequence, now + DUPLICATE_WINDOW)
        return Appended(self._last_sequence, False)

    def _put(self, subject: str, body: bytes, headers: dict[str, str], ttl: float | None) -> None:
        now = self._clock()
        self._last_sequence += 1
        if ttl is not None:
            headers = {**headers, TIME_TO_LIVE: f"{max(1, round(ttl))}s"}
            self._deadlines[self._last_sequence] = now + ttl
        message = StoredMessage(self._last_sequence, subject, body, int(now * 1e9), headers)
        self._messages[message.sequence] = message
        self._by_subject.setdefault(subject, []).append(message)
        for subscription in self._subscriptions:
            subscription.offer(message)


class MemorySubscription:
    """A subscription to a `MemoryStream`."""

    def __init__(self, stream: MemoryStream, subjects: Sequence[str]) -> None:
        self._stream = stream
        self._subjects = tuple(subjects)
        self._line: asyncio.Queue[StoredMessage | Passed | None] = asyncio.Queue()
        self._closed = False

    def offer(self, message: StoredMessage) -> None:
        """Take a message where it is one of ours."""
        if message.subject == confirm_subject("mark"):
            self._line.put_nowait(Passed(message.sequence))
        elif any(subject_matches(pattern, message.subject) for pattern in self._subjects):
            self._line.put_nowait(message)

    def __aiter__(self) -> AsyncIterator[StoredMessage | Passed]:
        return self

    async def __anext__(self) -> StoredMessage | Passed:
        item = None if self._closed else await self._line.get()
        if item is None:
            raise StopAsyncIteration
        return item

    async def mark(self) -> int:
        return self._stream.write_mark()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._stream.drop(self)
            self._line.put_nowait(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
