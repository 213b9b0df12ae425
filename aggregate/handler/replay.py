"""Replaying the log: what was decided and what is kept is compared with what the events and the programs say now. Nothing is written.

For each aggregate three things are held against its history: that it can be folded, that the newest stored snapshot is what the events up
to its version make, and that every recorded command, decided again by the program that decided it on the state before it, comes out
with the same events, the same refusal and the same gas.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from aggregate.errors import CompileError, DocumentError, RehydrationError, StreamError, Unavailable, ValidationError
from aggregate.handler.findings import Finding, Kind, Replayed
from aggregate.handler.history import Folded, history, single_commits
from aggregate.handler.redeciding import differences, redecide
from aggregate.runtime import ProgramSet, RuntimeExecutor, TypeProgram
from aggregate.stream.codec import decode_message
from aggregate.stream.events import UNKNOWN_DIGEST, EventStream
from aggregate.stream.interface import StoredMessage
from aggregate.stream.subjects import filter_subject, key_of
from aggregate.types import AggregateId, AggregateKey, AggregateType, Snapshot, TenantId

AT_ONCE = 16
"""Aggregates that are read at the same time."""

PAUSES = (0.2, 0.5, 1.0)
"""Seconds between attempts to read one aggregate."""


class Snapshots(Protocol):
    """Where snapshots are found (see `SnapshotStore`)."""

    async def get_snapshot(
        self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None = None, program: str | None = None
    ) -> Snapshot | None: ...


class Replay:
    """Replays aggregates by the programs there are now and by those that decided.

    Args:
        programs: of the manifest.
        snapshots: to compare with; None: none are.
        decisions: whether recorded commands are decided again.
    """

    def __init__(
        self,
        stream: EventStream,
        programs: ProgramSet,
        executor: RuntimeExecutor,
        snapshots: Snapshots | None = None,
        *,
        decisions: bool = True,
    ) -> None:
        self._stream = stream
        self._programs = programs
        self._executor = executor
        self._snapshots = snapshots
        self._decisions = decisions
        self._recorded: dict[tuple[AggregateType, str], TypeProgram | str] = {}

    async def aggregate(self, key: AggregateKey) -> Replayed:
        """Replay one aggregate.

        Raises:
            Unavailable, StreamError: the log cannot be read. StorageError: the snapshots cannot.
        """
        try:
            program = self._programs.get(key.aggregate_type)
        except ValidationError as error:
            return Replayed(key, findings=(Finding(Kind.PROGRAM, 0, 0, "", "", str(error)),))
        snapshot = await self._snapshot(key, program)  # before the log is looked at, so that the log is never the older of the two
        last = await self._stream.last(key)
        one = _One(program, key, snapshot)
        try:
            async with aclosing(history(self._stream, key, upto=0 if last is None else last.sequence)) as messages:
                async for stored in messages:
                    await self._message(one, stored)
        except _Damaged as error:
            one.add(Kind.LOG, one.folded.version, error.sequence, "", str(error))
        return one.replayed()

    async def _message(self, one: _One, stored: StoredMessage) -> None:
        try:
            message = decode_message(stored)
        except StreamError as error:
            raise _Damaged(str(error), stored.sequence) from error
        decided_by = await self._folded_by(one, message.program, stored) if self._decisions else None
        for commit, body in single_commits(message, stored.body):
            one.commits += 1
            lane = None if decided_by is None else one.lanes.get(decided_by)
            if lane is not None and commit.command is not None and lane.version == commit.first_version - 1:
                again = redecide(lane.program, one.key, lane.state, commit, exact=True)
                one.decided += 1
                one.findings += [Finding.of(found, commit, stored.sequence) for found in differences(commit, again, exact=True)]
            one.step(body, stored.sequence)

    async def _folded_by(self, one: _One, digest: str, stored: StoredMessage) -> str | None:
        """See that the aggregate is folded by the program of this digest up to `stored`, too. None: it cannot be, which has been told."""
        if digest in one.lanes or digest in one.without:
            return digest
        if digest == UNKNOWN_DIGEST:  # published without a decision
            return None
        program = await self._program(one, digest)
        if isinstance(program, str):
            one.without.add(digest)
            one.add(Kind.PROGRAM, one.folded.version, stored.sequence, digest, program)
            return None
        lane = Folded.before(program, one.key)
        try:
            async with aclosing(history(self._stream, one.key, upto=stored.sequence)) as messages:
                async for earlier in messages:
                    if earlier.sequence < stored.sequence:
                        lane = lane.after(earlier.body, earlier.sequence)
        except RehydrationError as error:
            one.without.add(digest)
            one.add(Kind.FOLD, lane.version, stored.sequence, "", f"by program {digest[:16]}: {error}")
            return None
        one.lanes[digest] = lane
        return digest

    async def _program(self, one: _One, digest: str) -> TypeProgram | str:
        """A program that decided once, as the log keeps it; words why there is none."""
        known = self._recorded.get((one.key.aggregate_type, digest))
        if known is not None:
            return known
        found: TypeProgram | str
        source = await self._stream.program_source(digest)
        if source is None:
            found = "its source is not in the log"
        else:
            try:
                loaded = self._executor.load_stored(source.source)
                found = replace(self._programs.get(one.key.aggregate_type), program=loaded, source=source.source, language=source.language)
                if loaded.digest != digest:
                    found = f"its source is of another program, {loaded.digest}"
            except CompileError as error:
                found = f"its source does not compile: {error.record}"
        self._recorded[one.key.aggregate_type, digest] = found
        return found

    async def _snapshot(self, key: AggregateKey, program: TypeProgram) -> Snapshot | None:
        """The snapshot that a node would start from."""
        if self._snapshots is None:
            return None
        found = await self._snapshots.get_snapshot(key.tenant_id, key.aggregate_id, key.aggregate_type, program.digest)
        return found if found is not None and found.language == program.language and found.sequence else None


class _Damaged(Exception):
    def __init__(self, message: str, sequence: int) -> None:
        super().__init__(message)
        self.sequence = sequence


class _One:
    """One aggregate while it is replayed.

    Attributes:
        lanes: the fold by each program that decided some of it, by digest; of the program of now always.
        without: digests by which it cannot be folded.
    """

    def __init__(self, program: TypeProgram, key: AggregateKey, snapshot: Snapshot | None) -> None:
        self.key = key
        self.folded = Folded.before(program, key)
        self.lanes = {program.digest: self.folded}
        self.without: set[str] = set()
        self.findings: list[Finding] = []
        self.commits = self.decided = 0
        self._digest = program.digest
        self._snapshot = snapshot
        self._compared: int | None = None

    def add(self, kind: Kind, version: int, sequence: int, stored: str, replayed: str) -> None:
        """Note a finding that is of no commit."""
        self.findings.append(Finding(kind, version, sequence, "", stored, replayed))

    def step(self, body: bytes, sequence: int) -> None:
        """Fold one commit by all programs; one that fails is left behind."""
        for digest, lane in list(self.lanes.items()):
            try:
                self.lanes[digest] = lane.after(body, sequence)
            except RehydrationError as error:
                del self.lanes[digest]
                self.without.add(digest)
                by = "" if digest == self._digest else f"by program {digest[:16]}: "
                self.add(Kind.FOLD, lane.version, sequence, "", f"{by}{error}")
        self.folded = self.lanes.get(self._digest, self.folded)
        if self._snapshot is not None and self._compared is None and self.folded.version == self._snapshot.version:
            self._compare(self._snapshot)

    def _compare(self, snapshot: Snapshot) -> None:
        self._compared = int(snapshot.version)
        wanted = self.folded.state.hash()
        try:
            kept = self.folded.program.state(snapshot.state.text).hash()
        except DocumentError as error:
            kept = str(error)
        wrong = next((found for found in (kept, snapshot.state_hash or kept) if found != wanted), None)
        if wrong is not None:
            self.add(Kind.SNAPSHOT, int(snapshot.version), self.folded.sequence, wrong, wanted)

    def replayed(self) -> Replayed:
        """What came of it."""
        snapshot = self._snapshot
        if snapshot is not None and self._compared is None and self._digest in self.lanes:
            told = f"the log has no version {int(snapshot.version)}, it ends at {self.folded.version}"
            self.add(Kind.SNAPSHOT, int(snapshot.version), 0, snapshot.state_hash, told)
        return Replayed(
            key=self.key,
            version=self.folded.version,
            state_hash=self.folded.state.hash(),
            commits=self.commits,
            decided=self.decided,
            snapshot=self._compared,
            findings=tuple(self.findings),
        )


async def select(
    stream: EventStream, *, tenant_id: TenantId | None, aggregate_type: AggregateType | None, aggregate_id: AggregateId | None
) -> AsyncGenerator[tuple[AggregateKey, int], None]:
    """The aggregates of a tenant, a type, an id (None: any), each with how many there are in all. Raises Unavailable, StreamError."""
    async with aclosing(stream.subject_pages(filter_subject(tenant_id, aggregate_type, aggregate_id))) as pages:
        async for subjects, total in pages:
            for subject in subjects:
                yield key_of(subject), total


async def each(
    keys: AsyncIterable[AggregateKey], one: Callable[[AggregateKey], Awaitable[Replayed]], at_once: int = AT_ONCE
) -> AsyncGenerator[Replayed, None]:
    """`one` of every key in their order, some at the same time."""
    under_way: deque[asyncio.Future[Replayed]] = deque()
    try:
        async for key in keys:
            under_way.append(asyncio.ensure_future(_patiently(one, key)))
            if len(under_way) >= at_once:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _patiently(one: Callable[[AggregateKey], Awaitable[Replayed]], key: AggregateKey) -> Replayed:
    """`one` of a key, again where a server was behind or a refusal expired while it was read."""
    for pause in PAUSES:
        try:
            return await one(key)
        except Unavailable as error:
            if error.reason != "stream_behind":
                raise
        await asyncio.sleep(pause)
    return await one(key)
