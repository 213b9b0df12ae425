"""`AggregateHandler`: the whole way of a command, and the reads beside it.

A command is checked, admitted and put into its aggregate's lane (`lane.py`); the lane loads, decides, appends and answers. Everything
here is called on one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol, Self

from aggregate.config import Settings
from aggregate.errors import (
    AggregateError,
    NotFound,
    Overloaded,
    Unavailable,
    ValidationError,
)
from aggregate.handler.admission import Admission, DrainReport
from aggregate.handler.appending import Appender
from aggregate.handler.cache import HotCache
from aggregate.handler.history import Folded, Moment, fold_to, history
from aggregate.handler.lane import Lane, LaneParts, LaneRules
from aggregate.handler.loaded import Loaded
from aggregate.handler.loader import Loader, LogOlder
from aggregate.handler.log_guard import Trusting
from aggregate.handler.pending import Pending
from aggregate.handler.quota import MOST_TENANTS
from aggregate.handler.recording import received, record_of
from aggregate.handler.saving import Saver
from aggregate.handler.verifying import Verification, Verifier
from aggregate.handler.warming import Warmer
from aggregate.runtime import ProgramSet, TypeProgram
from aggregate.storage.interface import SnapshotStore
from aggregate.stream.codec import decode_message, events_of
from aggregate.stream.interface import EventLog, StoredMessage
from aggregate.stream.subjects import subject_of
from aggregate.types import (
    AggregateId,
    AggregateKey,
    AggregateState,
    AggregateType,
    Command,
    Document,
    Event,
    Receipt,
    TenantId,
    Version,
    uuid7_milliseconds,
)
from aggregate.types.queries import Answer
from aggregate.types.record import Observer
from aggregate.types.time import now_milliseconds

log = logging.getLogger(__name__)

FUTURE_MILLISECONDS = 5 * 60 * 1000
"""Command ids of a time further ahead than this are refused: they would outrun the ids that come after them."""

CONFIRM_ATTEMPTS = 8


class Queryable(Protocol):
    """Queries, as they can be asked beside a handler: `aggregate.query.QueryClient`."""

    async def query(self, tenant_id: TenantId | str, filter: str = "", **options: Any) -> Answer:  # noqa: A002 - the public name
        """The rows of a tenant that match a filter."""


class AggregateHandler:
    """Handles commands and reads of aggregates.

    Args:
        programs: of the manifest's types, numbered by the log (`with_generations`).
        observers: get a `CommandRecord` of every command.
        guard: knows whether the log is the one remembered; None: it is, whatever happens (tests, tools).
    """

    def __init__(
        self,
        settings: Settings,
        programs: ProgramSet,
        storage: SnapshotStore,
        stream: EventLog,
        observers: Sequence[Observer] = (),
        guard: Trusting | None = None,
    ) -> None:
        self._settings = settings
        self._programs = programs
        self._storage = storage
        self._stream = stream
        self._observers = tuple(observers)
        self._guard = guard if guard is not None else Trusting()
        self._guard.on_replaced(self.forget)
        self._cache = HotCache(settings.cache_bytes)
        self._loader = Loader(programs, storage, stream, owned_ids=settings.aggregate_id_scope == "global")
        self.saver = Saver(programs, storage, self._cache, self._guard)
        self._lanes: dict[AggregateKey, Lane] = {}
        self._tenants: dict[TenantId, TenantId] = {}
        self._admission = Admission(settings, self._lanes)
        self._acknowledged = 0
        self._queries: Callable[[Callable[[], str]], Queryable] | None = None
        self._parts = LaneParts(
            rules=LaneRules(
                max_retries=settings.max_retries,
                backoff=settings.retry_backoff,
                refusal_ttl=settings.refusal_ttl,
                owned_ids=settings.aggregate_id_scope == "global",
            ),
            cache=self._cache,
            loader=self._loader,
            appender=Appender(stream, timeout=settings.command_timeout, attempt_max=settings.attempt_max, guard=self._guard),
            stream=stream,
            guard=self._guard,
            saver=self.saver,
        )

    def __copy__(self) -> Self:
        """A copy shares the clients, the cache and the lanes: two that did not would be two nodes."""
        return self

    @classmethod
    async def new_test(cls, **options: Any) -> AggregateHandler:
        """A handler on an embedded nats-server and a folder of its own (see `aggregate.testing.Environment`)."""
        from aggregate.testing import Environment  # noqa: PLC0415 - test machinery is not loaded in a node

        return await (await Environment.ambient()).handler(**options)

    @classmethod
    async def new_test_with_threshold(cls, threshold: int) -> AggregateHandler:
        """As `new_test`, with a snapshot every `threshold` events."""
        return await cls.new_test(snapshot_threshold=threshold)

    @classmethod
    async def new_test_with_metrics(cls) -> Any:
        """As `new_test`, with metrics: `metrics_export()` gives them."""
        from aggregate.testing.measured import MeasuredHandler  # noqa: PLC0415 - as above

        return await MeasuredHandler.new()

    @classmethod
    async def new_test_non_tenant(cls) -> AggregateHandler:
        """As `new_test`, on a node without tenants."""
        return await cls.new_test(multi_tenancy=False)

    def storage(self) -> SnapshotStore:
        """The snapshot store."""
        return self._storage

    def stream(self) -> EventLog:
        """The log."""
        return self._stream

    def serve_queries(self, make: Callable[[Callable[[], str]], Queryable]) -> None:
        """Take what makes a query client, given a function that tells the position its answers must have come to."""
        self._queries = make

    def query_client(self) -> Queryable:
        """Queries over the projected states; an answer has everything in it that this handler acknowledged before it was asked.

        Raises:
            Unavailable: no projection runs beside this handler.
        """
        if self._queries is None:
            raise Unavailable("no projection runs here", reason="no_projection")
        return self._queries(lambda: self._stream.position(self._acknowledged))

    @property
    def engine_name(self) -> str:
        """Which engine runs the programs."""
        return next(iter(self._programs)).engine.name

    @property
    def cache(self) -> HotCache:
        """The aggregates kept ready."""
        return self._cache

    @property
    def in_flight(self) -> int:
        """Commands between entry and answer."""
        return self._admission.total

    @property
    def active_aggregates(self) -> int:
        """Aggregates kept ready in memory."""
        return len(self._cache)

    async def handle_command(self, command: Command, *, deadline: float | None = None) -> list[Event]:
        """Decide a command; returns the events (the original ones for a command that was accepted before). Raises as `submit`."""
        return list((await self.submit(command, deadline=deadline)).events)

    async def submit(self, command: Command, *, deadline: float | None = None) -> Receipt:
        """Decide a command and append what it led to.

        Args:
            command: its payload is canonical JSON (`canonical`).
            deadline: `time.monotonic()` seconds; None: `command_timeout` from now.

        Raises:
            ValidationError: the command is wrong, whatever the state; names the field.
            TenantAccessDenied: the aggregate belongs to another tenant.
            Rejected, DecideError, ApplyError, VersionConflict: it was refused.
            CommandIdReused: the id was used with another payload.
            DeadlineExceeded: nothing was stored. OutcomeUnknown: ask again with the same id.
            Overloaded, Unavailable: try later.
            RehydrationError, StreamError: the history is damaged; the server refused.
        """
        started = time.perf_counter()
        pending: Pending | None = None
        if log.isEnabledFor(logging.DEBUG):
            log.debug("command received", extra={"fields": received(command)})
        try:
            program = self._checked(command)
            limit = time.monotonic() + self._settings.command_timeout if deadline is None else deadline
            pending = Pending(command, limit, asyncio.get_running_loop().create_future())
            receipt = await self._admitted(pending, program)
        except AggregateError as error:
            self._observe(command, pending, started, error=error)
            raise
        self._acknowledged = max(self._acknowledged, self._stream.sequence(receipt.position))
        self._observe(command, pending, started, receipt=receipt)
        return receipt

    async def get(
        self,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        aggregate_id: AggregateId,
        *,
        at_version: int | None = None,
        at_time: str | None = None,
    ) -> AggregateState:
        """The state of an aggregate: the newest, or what the program of now makes of its past.

        Args:
            tenant_id: whose.
            aggregate_type: of which type.
            aggregate_id: which.
            at_version: after so many events.
            at_time: after what was decided at this time (RFC 3339) or before, by the clocks of the nodes that decided.

        Raises:
            NotFound: there is none, or there was none yet.
            ValidationError: it has not come to that version; or what is asked for is no version, no time, or both.
            TenantAccessDenied, RehydrationError, Unavailable, StreamError.
        """
        moment = Moment.of(at_version, at_time)
        program = self._programs.get(aggregate_type)
        key = self._key(tenant_id, program, aggregate_id)
        found: Loaded | Folded = await self._newest(key)
        if moment.version is not None and moment.version > found.version > 0:
            raise ValidationError(f"the aggregate is at version {found.version}", "at_version")
        if moment.is_past(found.version):
            found = await fold_to(self._stream, program, key, moment, upto=found.sequence)
        if found.version == 0:
            raise NotFound(aggregate_id)
        return AggregateState(
            tenant_id=tenant_id,
            aggregate_type=aggregate_type,
            aggregate_id=aggregate_id,
            version=Version(found.version),
            state=Document(found.state.json()),
            state_hash=found.state.hash(),
            position=self._stream.position(found.sequence),
        )

    async def read_events(
        self,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        aggregate_id: AggregateId,
        *,
        after_version: int = 0,
        limit: int | None = None,
    ) -> list[Event]:
        """The events of an aggregate after a version, in order, at most `limit`. Raises as `event_pages`."""
        pages = self.event_pages(tenant_id, aggregate_type, aggregate_id, after_version=after_version, limit=limit)
        return [event async for page in pages for event in page]

    async def event_pages(
        self,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        aggregate_id: AggregateId,
        *,
        after_version: int = 0,
        limit: int | None = None,
    ) -> AsyncGenerator[list[Event], None]:
        """The events of an aggregate after a version, in order, at most `limit`, those of one message at a time; close it.

        Raises:
            NotFound, TenantAccessDenied, ValidationError, RehydrationError, Unavailable, StreamError.
        """
        key = self._key(tenant_id, self._programs.get(aggregate_type), aggregate_id)
        loaded = await self._newest(key)
        if loaded.version == 0:
            raise NotFound(aggregate_id)
        left = limit
        async with aclosing(history(self._stream, key, upto=loaded.sequence)) as messages:
            async for stored in messages:
                position = self._stream.position(stored.sequence)
                events = [event for event in events_of(decode_message(stored), position) if event.version > after_version]
                if left is not None:
                    events = events[:left]
                    left -= len(events)
                if events:
                    yield events
                if left == 0:
                    return

    def verifier(self, tell: Callable[[Verification], None]) -> Verifier:
        """Who holds what is kept here against the log (see there)."""
        return Verifier(self._programs, self._storage, self._stream, self._cache, tell)

    def warmer(self) -> Warmer:
        """Who brings aggregates into memory that nobody has asked for yet."""
        return Warmer(self._programs, self._storage, self._loader, self._cache, self._guard)

    def on_read(self, heard: Callable[[StoredMessage], None]) -> None:
        """Call `heard` with the newest message of each aggregate that is read from the log."""
        self._loader.on_read(heard)

    def forget(self) -> None:
        """Forget every aggregate and give up what is under way: the log is another one than it was of."""
        self._cache.clear()
        for lane in list(self._lanes.values()):
            lane.abandon(Unavailable("the log was replaced while the command was under way; send it again", reason="log_replaced"))

    async def drain(self, timeout: float) -> bool:
        """Refuse new commands and wait for those in flight, at most `timeout` seconds; returns whether none is left."""
        return await self._admission.drain(timeout)

    async def drain_tenant(self, tenant_id: TenantId, timeout: float, expires: float | None = None) -> DrainReport:
        """Refuse a tenant's new commands (retryable) and wait for those in flight; see `Admission.drain_tenant`."""
        return await self._admission.drain_tenant(tenant_id, timeout, expires)

    def undrain_tenant(self, tenant_id: TenantId) -> bool:
        """Take a tenant's commands again; returns whether it was drained."""
        return self._admission.undrain_tenant(tenant_id)

    def draining_tenants(self) -> list[TenantId]:
        """The tenants whose commands are refused now."""
        return self._admission.draining_tenants()

    def forget_tenant(self, tenant_id: TenantId) -> None:
        """Drop what is kept of a tenant in memory: another node serves it."""
        self._cache.drop_tenant(tenant_id)

    def tenants(self) -> dict[str, int]:
        """The tenants with aggregates kept ready in memory, and how many."""
        return self._cache.tenants()

    def _checked(self, command: Command) -> TypeProgram:
        if command.tenant_id.is_empty() and self._settings.multi_tenancy:
            raise ValidationError("this node serves tenants: name one", "x-tenant-id")
        made = uuid7_milliseconds(command.command_id)
        if made is not None and made > now_milliseconds() + FUTURE_MILLISECONDS:
            raise ValidationError(f"{command.command_id} is an id of a time more than 5 minutes ahead", "command_id")
        return self._programs.get(command.aggregate_type)

    async def _admitted(self, pending: Pending, program: TypeProgram) -> Receipt:
        tenant = pending.command.tenant_id
        self._admission.check(tenant)
        self._guard.demand_trust()
        key = self._key(tenant, program, pending.command.aggregate_id)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, program, self._parts, self._finished)
        elif len(lane.waiting) >= self._settings.max_queue:
            raise Overloaded(f"{len(lane.waiting)} commands wait for this aggregate", reason="queue_full")
        self._admission.enter(tenant)
        try:
            lane.submit(pending)
            timer = asyncio.get_running_loop().call_later(pending.deadline - time.monotonic(), pending.expire)
            try:
                return await pending.answered
            finally:
                timer.cancel()
        finally:
            self._admission.leave(tenant, pending.gas)

    def _key(self, tenant_id: TenantId, program: TypeProgram, aggregate_id: AggregateId) -> AggregateKey:
        """The key, its tenant and type the same objects in all keys: there is one for every aggregate in memory."""
        if len(self._tenants) > MOST_TENANTS:
            self._tenants.clear()
        return AggregateKey(self._tenants.setdefault(tenant_id, tenant_id), program.type, aggregate_id)

    def _finished(self, key: AggregateKey) -> None:
        del self._lanes[key]
        self._admission.rest(key.tenant_id)

    async def _newest(self, key: AggregateKey) -> Loaded:
        """The aggregate as it is now: what was read is confirmed to be the newest (a read alone proves nothing with replicas)."""
        self._guard.demand_trust()
        cached = self._cache.get(key)
        try:
            loaded = await (self._loader.load(key) if cached is None else self._loader.catch_up(cached))
        except LogOlder:
            self._cache.drop(key)
            self._guard.doubt()
            raise
        for _ in range(CONFIRM_ATTEMPTS):
            if await self._stream.confirm(subject_of(key), loaded.sequence):
                self._cache.put(loaded)
                return loaded
            loaded = await self._loader.catch_up(loaded)
        raise Unavailable(f"{key} changes faster than it can be read", reason="contended", retry_after=0.2)

    def _observe(
        self,
        command: Command,
        pending: Pending | None,
        started: float,
        *,
        receipt: Receipt | None = None,
        error: AggregateError | None = None,
    ) -> None:
        if not self._observers:
            return
        record = record_of(command, pending, started, receipt, error)
        for observer in self._observers:
            try:
                observer(record)
            except Exception:
                log.exception("an observer failed")
