"""`Lane`: the commands of one aggregate, in order. It is the aggregate's lock and its queue, and the task that no caller can cancel.

A lane lives while commands wait. It takes what has queued up (1 to 64 commands), decides each on the state that the ones before it leave,
and appends all as one message: under load the commands of a hot aggregate share a round trip. Nothing is answered before the append is
certain, and a conflict decides the whole group again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aggregate.errors import (
    AggregateError,
    DeadlineExceeded,
    MessageTooLarge,
    OutcomeUnknown,
    StreamConflict,
    StreamError,
    Unavailable,
    VersionConflict,
)
from aggregate.handler.answers import answer, original
from aggregate.handler.appending import Appender, Attempt
from aggregate.handler.cache import HotCache
from aggregate.handler.deciding import Decided, decide
from aggregate.handler.loaded import Loaded
from aggregate.handler.loader import Loader, LogOlder
from aggregate.handler.log_guard import Trusting
from aggregate.handler.pending import Pending
from aggregate.handler.saving import Saver
from aggregate.handler.searching import find_committed
from aggregate.runtime import TypeProgram
from aggregate.stream.codec import encode_body
from aggregate.stream.headers import commit_headers
from aggregate.stream.interface import EventLog
from aggregate.types import AggregateKey, CommitMessage
from aggregate.types.time import format_time, now_milliseconds

log = logging.getLogger(__name__)

MAX_GROUP = 64
HEADER_ROOM = 8 * 1024
"""Bytes of the server's max_payload left to headers and to a qualified message id."""

LONGEST_BACKOFF = 1.0


@dataclass(frozen=True, slots=True)
class LaneRules:
    """What a lane is told by the settings.

    Attributes:
        max_retries: times a group is decided again after a conflict.
        backoff: seconds of the first pause.
        refusal_ttl: seconds that a message of refusals lives.
        owned_ids: an aggregate id belongs to one tenant.
    """

    max_retries: int
    backoff: float
    refusal_ttl: float
    owned_ids: bool


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What all lanes of a node share."""

    rules: LaneRules
    cache: HotCache
    loader: Loader
    appender: Appender
    stream: EventLog
    guard: Trusting
    saver: Saver


class Lane:
    """The commands of one aggregate. `finished` is called when none is left."""

    __slots__ = ("_finished", "_group", "_key", "_parts", "_program", "_task", "waiting")

    def __init__(self, key: AggregateKey, program: TypeProgram, parts: LaneParts, finished: Callable[[AggregateKey], None]) -> None:
        self._key = key
        self._program = program
        self._parts = parts
        self._finished = finished
        self._task: asyncio.Task[None] | None = None
        self._group: list[Pending] = []
        self.waiting: deque[Pending] = deque()

    def submit(self, pending: Pending) -> None:
        """Queue a command; the lane's own task serves it."""
        self.waiting.append(pending)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def abandon(self, error: Unavailable) -> None:
        """Give up: whoever waits hears `error`; nothing more is sent."""
        for pending in (*self._group, *self.waiting):
            pending.fail(error)
        self.waiting.clear()
        if self._group and self._task is not None:  # a task that has not begun must, so that it ends
            self._task.cancel()

    def command_ids(self) -> list[str]:
        """Of the commands that are not done, those being served first."""
        return [pending.command.command_id for pending in (*self._group, *self.waiting)]

    async def _run(self) -> None:
        try:
            while self.waiting:
                self._group = [self.waiting.popleft() for _ in range(min(MAX_GROUP, len(self.waiting)))]
                try:
                    await self._serve(self._group)
                except Exception as error:
                    if isinstance(error, LogOlder):
                        self._parts.guard.doubt()
                    if not isinstance(error, AggregateError):
                        log.exception("defect while serving %s", self._key)
                    self._fail(self._group, error)
        finally:
            # Only `abandon` and a loop that is closed cancel this task; whoever still waits then hears so.
            for pending in (*self._group, *self.waiting):
                pending.fail(Unavailable("given up before it was decided; send the command again", reason="given_up"))
            self._finished(self._key)

    def _fail(self, group: list[Pending], error: Exception) -> None:
        """Answer all with an error, and believe the cache no more."""
        self._parts.cache.drop(self._key)
        for pending in group:
            pending.fail(error)

    async def _serve(self, group: list[Pending]) -> None:
        """Answer every command of the group."""
        retries = pauses = 0
        stale = False
        while group := self._wanted(group):
            loaded = await self._load(group, stale=stale)
            try:
                group = await self._new(loaded, group)
                decided = self._decide(loaded, group)
                if not decided:
                    return
                group, stale = await self._append(loaded, decided), False
            except StreamConflict:
                fresh = await self._parts.loader.catch_up(loaded)
                self._parts.cache.put(fresh)
                # Nothing new to read: another attempt is on its way, or a refusal has expired. That is no retry of ours.
                new = fresh.sequence > loaded.sequence
                retries += new
                pauses += 1
                for pending in group:
                    pending.retries += new
                if retries > self._parts.rules.max_retries:
                    await self._give_up(fresh, group, VersionConflict(loaded.version, fresh.version))
                    return
                await self._pause(pauses)
                stale = True
            except OutcomeUnknown as error:
                self._parts.cache.drop(self._key)
                for pending in group:
                    pending.fail(OutcomeUnknown(pending.command.command_id, str(error)))
                return
            except StreamError:
                if len(group) == 1:
                    raise
                for pending in group:  # one of them is what the server refuses: the others shall not suffer for it
                    await self._alone(pending)
                return

    async def _give_up(self, fresh: Loaded, group: list[Pending], conflict: VersionConflict) -> None:
        """Too many conflicts in a row: nothing is stored, except where the conflict was with an attempt of our own."""
        for pending in await self._new(fresh, group):
            pending.fail(conflict)

    async def _alone(self, pending: Pending) -> None:
        try:
            await self._serve([pending])
        except AggregateError as error:
            self._fail([pending], error)

    async def _pause(self, pauses: int) -> None:
        longest = min(self._parts.rules.backoff * 2 ** min(pauses - 1, 12), LONGEST_BACKOFF)
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))

    def _wanted(self, group: list[Pending]) -> list[Pending]:
        """Without those whose caller has gone or whose time is over: nothing has been stored for them."""
        now = time.monotonic()
        for pending in group:
            if pending.deadline <= now:
                pending.fail(DeadlineExceeded("the deadline passed before the command was decided; nothing was stored"))
        return [pending for pending in group if not pending.gone]

    async def _load(self, group: list[Pending], *, stale: bool) -> Loaded:
        """The aggregate: what the cache has, else what snapshot and log say. A stale one has just been caught up after a conflict."""
        cached = self._parts.cache.get(self._key)
        if cached is not None:
            return cached
        started = time.perf_counter()
        loaded = await self._parts.loader.load(self._key)
        took = time.perf_counter() - started
        for pending in group:
            pending.cold = pending.cold or not stale
            pending.load_at = started
            pending.load_seconds += took
        self._parts.cache.put(loaded)
        return loaded

    async def _new(self, loaded: Loaded, group: list[Pending]) -> list[Pending]:
        """Those not decided before; the others get their original answer out of the log."""
        new = []
        for pending in group:
            if loaded.known.never_seen(pending.command.command_id):
                new.append(pending)
                continue
            found = await find_committed(self._parts.stream, loaded, pending.command.command_id)
            if found is None:
                new.append(pending)
            else:
                pending.settle(partial(original, found[0], pending.command.command_id, pending.digest, found[1]))
        return new

    def _decide(self, loaded: Loaded, group: list[Pending]) -> list[tuple[Pending, Decided]]:
        """Decide each on the state that those before it leave. What is wrong whatever the state is answered at once."""
        state, version = loaded.state, loaded.version
        at = max(format_time(now_milliseconds()), loaded.last_time)
        decided: list[tuple[Pending, Decided]] = []
        ids: set[str] = set()
        for pending in group:
            command = pending.command
            if pending.gone:
                continue  # it was told that nothing is stored, while we were loading
            if command.command_id in ids:
                self.waiting.append(pending)  # its twin is in this very group: in its own turn it will be a duplicate
                continue
            started = time.perf_counter()
            try:
                one = decide(self._program, self._key, state, version, command, pending.digest, at)
            except AggregateError as error:
                pending.fail(error)
                continue
            pending.execute_at = started
            pending.execute_seconds += time.perf_counter() - started
            pending.gas += one.commit.gas
            ids.add(command.command_id)
            decided.append((pending, one))
            state, version = one.state, one.commit.last_version
        return decided

    async def _append(self, loaded: Loaded, decided: list[tuple[Pending, Decided]]) -> list[Pending]:
        """Append the group as one message, remember it and answer. Returns those that did not fit and have to be decided again.

        Raises:
            As `Appender.append`.
        """
        parts = self._parts
        message = CommitMessage(
            self._key.tenant_id,
            self._key.aggregate_type,
            self._key.aggregate_id,
            self._program.digest,
            self._program.generation,
            tuple(one.commit for _, one in decided),
        )
        body = encode_body(message)
        room = parts.stream.max_payload - HEADER_ROOM
        if len(body) > room:
            if len(decided) == 1:
                raise MessageTooLarge(len(body), room)
            half = len(decided) // 2
            return [*await self._append(loaded, decided[:half]), *(pending for pending, _ in decided[half:])]
        expires = message.only_refusals and not self._program.definition.record_refusals
        attempt = Attempt(
            key=self._key,
            command_id=message.commits[0].command_id,
            body=body,
            headers=commit_headers(message, [event.type for commit in message.commits for event in commit.events]),
            expected=loaded.sequence,
            claim_owner=parts.rules.owned_ids and not loaded.owned and not message.only_refusals,
            ttl=parts.rules.refusal_ttl if expires else None,
        )
        parts.guard.demand_trust()
        started = time.perf_counter()
        for pending, _ in decided:
            pending.sent = True
        try:
            sequence = await parts.appender.append(attempt)
            if parts.rules.owned_ids and not loaded.owned and message.only_refusals:
                await parts.loader.refuse_other_owner(self._key)
        except (StreamConflict, Unavailable) as error:
            # A conflict that the log was read for, not told by the server, may be with our own first attempt, which landed after all.
            if not isinstance(error, StreamConflict) or error.error_code:
                for pending, _ in decided:
                    pending.sent = False
            raise
        took = time.perf_counter() - started
        if not expires:
            parts.guard.saw(sequence)
        after = loaded.after(message.commits, decided[-1][1].state, sequence, message.generation, message_bytes=len(body), expires=expires)
        kept = parts.saver.committed(after, self._program)
        saved = 0.0 if kept.snapshot_version == after.snapshot_version else time.perf_counter() - started - took
        parts.cache.put(kept)
        position = parts.stream.position(sequence)
        for pending, one in decided:
            pending.append_at = started
            pending.append_seconds += took
            pending.snapshot_seconds = saved
            pending.settle(partial(answer, message, one.commit, position, duplicate=False))
        return []
