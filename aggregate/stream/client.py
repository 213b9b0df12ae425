"""`StreamClient`: the log on JetStream. Every method says with certainty what happened, or that nobody knows (`OutcomeUnknown`)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import urlsplit

from aggregate.config import Settings
from aggregate.config.fields import hide_password
from aggregate.errors import ConfigError, Mistake, OutcomeUnknown, StreamError, Unavailable
from aggregate.stream.append import SEQUENCE_UNCERTAIN, WRONG_SEQUENCE, check_size, request_of
from aggregate.stream.appender import Appender
from aggregate.stream.connection import Connection, NotSent
from aggregate.stream.events import EventStream
from aggregate.stream.headers import EXPECTED_SEQUENCE, EXPECTED_SUBJECT, TIME_TO_LIVE
from aggregate.stream.interface import Appended, StoredMessage
from aggregate.stream.jetstream import ApiError, Batch, call, format_timestamp, get_batch, get_message, parse_answer, subject_pages
from aggregate.stream.kv import KeyValue, asked
from aggregate.stream.link import Link
from aggregate.stream.options import StreamOptions, options_from
from aggregate.stream.owners import decode_owner
from aggregate.stream.programs import BUCKET, ProgramRegistry, Source
from aggregate.stream.setup import StreamFacts
from aggregate.stream.subjects import STREAM_NAME, confirm_subject, filter_subject, key_of, owner_subject, subject_of
from aggregate.stream.subscribe import JetStreamSubscription
from aggregate.stream.watch import StoreWatch, StreamHealth
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId
from aggregate.types.breaker import Breaker, BreakerState

SCHEMES = ("nats", "tls")
LOOK_EVERY = 60.0
LOOK_FOR_MISSING = 2.0
CONFIRM_ATTEMPTS = 10
READ_ATTEMPTS = 5

T = TypeVar("T")


class StreamClient(EventStream):
    """A node's way to the log; make one with `connect`."""

    def __init__(self, servers: Sequence[str], **options: Unpack[StreamOptions]) -> None:
        """See `connect`."""
        self.claims_owners = options.get("claims_owners", True)
        self._replicas = options.get("replicas", 1)
        self._node_id = options.get("node_id", "node")
        self._watch = StoreWatch(
            self._replicas,
            create=options.get("create", True),
            strict=options.get("durability") == "strict",
            monitors=options.get("monitors", ()),
        )
        self._breaker = Breaker(options.get("breaker_threshold", 5), options.get("breaker_reset", 5.0))
        self._link = Link(
            servers, self._breaker, self._prepare, identity=options.get("identity"), tls=options.get("tls"), name=self._node_id
        )
        self._appender = Appender(self._link.connection)
        self._programs = ProgramRegistry(self.bucket(BUCKET))
        self._max_payload = 1 << 20
        self._confirm_subject = confirm_subject(self._node_id)
        self._looking: asyncio.Task[None] | None = None
        self._came_up = asyncio.Event()

    @classmethod
    async def connect(cls, servers: Sequence[str], **options: Unpack[StreamOptions]) -> Self:
        """A client that is connected, or that keeps trying where no server is there yet (`health` says which).

        `servers` are URLs like `nats://host:4222`; one is enough, the cluster names the others.

        Raises:
            ConfigError: a URL or the identity is unusable, or durability is strict and the store is weak.
        """
        wrong = [url for url in servers if urlsplit(url).scheme not in SCHEMES]
        if wrong:
            raise ConfigError([Mistake("nats_url", f"{hide_password(url)} begins with none of {', '.join(SCHEMES)}") for url in wrong])
        identity = options.get("identity")
        if identity is not None:
            identity.check()
        client = cls(servers, **options)
        try:
            await client._start()
        except BaseException:
            await client.close()
            raise
        return client

    @classmethod
    async def of_settings(cls, settings: Settings, *, create: bool = True) -> Self:
        """A client as the settings ask for; `create=False` for a node that remembers a stream. Raises ConfigError as `connect`."""
        options = options_from(settings)
        options |= {"create": create}
        return await cls.connect(settings.nats_servers, **options)

    @classmethod
    async def new_test(cls) -> StreamClient:
        """A client on an embedded server that lives as long as the tests (see `aggregate.testing.Environment`)."""
        from aggregate.testing.environment import Environment  # noqa: PLC0415 (tests only: a node has no test server)

        return await (await Environment.ambient()).stream()

    async def close(self) -> None:
        """Send what is under way and let go."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await self._appender.close()
        await self._link.close()

    # How it is.

    @property
    def max_payload(self) -> int:
        if self._link.connected:
            self._max_payload = self._link.connection().max_payload
        return self._max_payload

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._link.connected

    @property
    def connects(self) -> int:
        """How many times a connection came up."""
        return self._link.connects

    @property
    def facts(self) -> StreamFacts | None:
        """The stream as it was last seen, None before it was."""
        return self._watch.facts

    @property
    def durability(self) -> str:
        """What an acknowledgement means now, in one sentence (and why that is less than it should be)."""
        return str(self._watch.durability)

    @property
    def missing(self) -> str:
        """That the stream is missing and must not be made, in words; "" where it is not so."""
        return self._watch.missing

    def listen(self, listener: Callable[[bool], None]) -> None:
        """Call `listener(up)` whenever the connection has come up or gone; on the loop, must not block or raise."""
        self._link.listen(listener)

    async def wait_connected(self) -> None:
        """Wait for the connection."""
        await self._link.wait(up=True)

    @property
    def link(self) -> Link:
        """The connection itself, for what is no business of the log."""
        return self._link

    def reasons(self) -> list[str]:
        """Why nothing can be appended now; empty where it can."""
        found = self._watch.reasons()
        if self._breaker.state is BreakerState.OPEN:
            found.insert(0, f"the log failed {self._breaker.failures} times in a row; tried again in {self._breaker.retry_after:.1f} s")
        if not self._link.connected:
            found.insert(0, f"not connected to NATS: {self._link.trouble}")
        return found

    def health(self) -> StreamHealth:
        """All of it."""
        reasons = tuple(self.reasons())
        return StreamHealth(self.connected, str(self._breaker.state), self._watch.stream_ok, self.durability, reasons)

    async def look(self) -> None:
        """Look at the store now; done by itself every minute and after each new connection."""
        if self._link.connected:
            await self._watch.look(self._link.connection())
            self._appender.together = self._watch.writes_through
            self._appender.together = self._watch.writes_through

    # Writing.

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
        request = request_of(key, body, headers, expected=expected, claim_owner=claim_owner, ttl=ttl)
        check_size(request, self.max_payload)
        self._check_usable()
        try:
            appended = await self._appender.append(request, timeout)
        except (Unavailable, OutcomeUnknown):
            self._breaker.failure()
            raise
        except StreamError:
            self._breaker.success()  # an answer all the same
            raise
        self._breaker.success()
        return appended

    async def confirm(self, subject: str, sequence: int) -> bool:
        if self.facts is not None and self.facts.replicas == 1:
            last = await self._message(last_by_subj=subject)
            return (0 if last is None else last.sequence) == sequence
        headers = {EXPECTED_SEQUENCE: str(sequence), EXPECTED_SUBJECT: subject, TIME_TO_LIVE: "1s"}
        for attempt in range(CONFIRM_ATTEMPTS):
            answer = await self.ask(lambda connection: connection.request(self._confirm_subject, b"", headers))
            try:
                parse_answer(answer.data, f"confirm {subject}")
            except ApiError as error:
                if error.error_code == WRONG_SEQUENCE:
                    return False
                if error.error_code != SEQUENCE_UNCERTAIN:
                    raise Unavailable(str(error), "stream_unreachable") from error
                await asyncio.sleep(0.002 * 2**attempt)  # an append to the subject is under way: whether it counts will be known soon
            else:
                return True
        raise Unavailable(f"{subject}: appends are under way all the time", "stream_contended", 0.1)

    async def register_program(self, aggregate_type: str, digest: str, language: str, source: str) -> int:
        return await self._programs.register(aggregate_type, digest, language, source)

    def hint(self, subject: str, body: bytes) -> bool:
        """Tell whoever listens on a core NATS subject, soon; nobody keeps it. Whether there was room for it. Raises Unavailable."""
        try:
            return self._link.connection().hint(subject, body)
        except NotSent as error:
            raise Unavailable(f"the connection to NATS was lost: {error}", "nats_disconnected") from error

    # Reading.

    async def last(self, key: AggregateKey) -> StoredMessage | None:
        subject = subject_of(key)
        return await self._message(last_by_subj=subject)

    async def read(self, key: AggregateKey, *, after: int, upto: int, leader: bool = False, most: int | None = None) -> list[StoredMessage]:
        subject = subject_of(key)
        if leader:
            return await self._read_from_leader(subject, after, upto, most)
        found: list[StoredMessage] = []
        idle = 0
        while after < upto and idle < READ_ATTEMPTS and (most is None or len(found) < most):
            batch = await self._batch(subject, seq=after + 1)
            found += [message for message in batch.messages if message.sequence <= upto]
            if batch.messages:
                after = batch.messages[-1].sequence
            if not batch.pending:
                break
            idle = 0 if batch.messages else idle + 1
        return found

    async def read_since(self, key: AggregateKey, *, milliseconds: int, upto: int) -> list[StoredMessage]:
        subject, start = subject_of(key), format_timestamp(milliseconds)
        for _ in range(READ_ATTEMPTS):
            batch = await self._batch(subject, start_time=start)
            if batch.messages or not batch.pending:
                break
        found = [message for message in batch.messages if message.sequence <= upto]
        if batch.messages and batch.pending:
            found += await self.read(key, after=batch.messages[-1].sequence, upto=upto)
        return found

    async def message_at(self, sequence: int) -> StoredMessage | None:
        return await self._message(seq=sequence)

    async def owner(self, aggregate_id: AggregateId) -> TenantId | None:
        subject = owner_subject(aggregate_id)
        message = await self._message(last_by_subj=subject)
        return None if message is None else decode_owner(message.body)

    async def types_of(self, tenant_id: TenantId, aggregate_id: AggregateId) -> list[AggregateType]:
        return [key_of(subject).aggregate_type for subject in await self._subjects(filter_subject(tenant_id, None, aggregate_id))]

    async def list_subjects_for_tenant(self, tenant_id: TenantId) -> list[str]:
        """The subjects of all aggregates of a tenant, sorted. Raises Unavailable, StreamError."""
        return await self._subjects(filter_subject(TenantId(tenant_id)))

    def subject_pages(self, pattern: str) -> AsyncGenerator[tuple[list[str], int], None]:
        return subject_pages(self._info, pattern)

    async def last_sequence(self) -> int:
        """Of the stream's newest message. Raises Unavailable, StreamError."""
        return int((await self._info())["state"]["last_seq"])

    async def program_source(self, digest: str) -> Source | None:
        return await self._programs.source(digest)

    def subscribe(self, subjects: Sequence[str], *, after: int) -> JetStreamSubscription:
        return JetStreamSubscription(self._link, self.ask, self._node_id, subjects, after)

    def bucket(self, name: str) -> KeyValue:
        """A key-value bucket beside the log, with the same replicas."""
        return KeyValue(self.ask, name, self._replicas)

    async def ask(self, request: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a request on the connection there is.

        Raises:
            Unavailable: there is none, the breaker is open, or there was no answer: nobody knows what became of it.
            ApiError: the server refused it.
        """
        self._check_usable()
        try:
            answer = await asked(self._link.connection(), request)
        except Unavailable:
            self._breaker.failure()
            raise
        except StreamError:
            self._breaker.success()  # an answer all the same
            raise
        self._breaker.success()
        return answer

    # Below: in call order.

    async def _start(self) -> None:
        await self._link.start()
        if self._link.connected and self._watch.facts is not None and self._watch.too_weak:
            raise ConfigError([Mistake("durability", f"strict, but {weakness}") for weakness in self._watch.durability.weaknesses])
        self._link.listen(lambda up: self._came_up.set() if up else None)
        self._looking = asyncio.create_task(self._keep_looking(), name="durability")

    async def _prepare(self, connection: Connection) -> None:
        await self._watch.prepare(connection)
        self._appender.together = self._watch.writes_through

    async def _keep_looking(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_again):
                    await self._came_up.wait()
            self._came_up.clear()
            await self.look()

    @property
    def _look_again(self) -> float:
        return LOOK_FOR_MISSING if self._watch.unsure else LOOK_EVERY

    def _check_usable(self) -> None:
        """Whether something may be sent now. Obliges the caller to tell the breaker how it went.

        Raises:
            Unavailable: it may not; says why.
        """
        if weak := self._watch.too_weak:
            raise Unavailable(weak, "weak_store", self._look_again)
        self._link.connection()
        if self._watch.missing:
            raise Unavailable(self._watch.missing, "stream_missing", LOOK_FOR_MISSING)
        if not self._breaker.allow():
            raise Unavailable("the log failed several times in a row and is given a rest", "breaker_open", self._breaker.retry_after or 0.1)

    async def _read_from_leader(self, subject: str, after: int, upto: int, most: int | None) -> list[StoredMessage]:
        found: list[StoredMessage] = []
        while after < upto and (most is None or len(found) < most):
            message = await self._message(seq=after + 1, next_by_subj=subject)
            if message is None or message.sequence > upto:
                break
            found.append(message)
            after = message.sequence
        return found

    async def _message(self, **which: Any) -> StoredMessage | None:
        return await self.ask(lambda connection: get_message(connection, STREAM_NAME, **which))

    async def _batch(self, subject: str, **start: Any) -> Batch:
        return await self.ask(lambda connection: get_batch(connection, STREAM_NAME, subject, **start))

    async def _info(self, **which: Any) -> dict[str, Any]:
        return await self.ask(lambda connection: call(connection, f"STREAM.INFO.{STREAM_NAME}", which))

    async def _subjects(self, pattern: str) -> list[str]:
        return sorted([subject async for page, _ in self.subject_pages(pattern) for subject in page])
