"""`StoreWatch`: what is known of the store behind the log, and why that may forbid appending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aggregate.errors import StreamError, Unavailable
from aggregate.stream.connection import Connection
from aggregate.stream.durability import UNKNOWN, Durability, judge, read_sync_interval
from aggregate.stream.kv import KeyValue, asked
from aggregate.stream.programs import BUCKET as PROGRAMS
from aggregate.stream.setup import StreamFacts, ensure_stream

PLACEMENT = "TENANT_PLACEMENT"
"""The bucket of the placement document; made by whoever places tenants."""
PREPARE_TIMEOUT = 3.0
CLOCKS_APART = 30.0
"""Seconds that this node's clock and the server's may differ: command ids and commit times are compared across nodes."""


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """How the log is, for `/health` and `/ready`.

    Attributes:
        breaker: `closed`, `open` or `half_open`.
        stream_ok: the stream is there and configured as it should be.
        durability: what an acknowledgement means now, in one sentence.
        reasons: why nothing can be appended now; empty where it can.
    """

    connected: bool
    breaker: str
    stream_ok: bool
    durability: str
    reasons: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether commands can be taken."""
        return not self.reasons


class StoreWatch:
    """Looks at the store when a connection comes up and whenever it is told to.

    Attributes:
        facts: the stream as it was last seen, None before it was.
        durability: what an acknowledgement means now.
        writes_through: whether the servers are known to write to the disk before they acknowledge.
    """

    def __init__(self, replicas: int, *, create: bool, strict: bool, monitors: Sequence[str]) -> None:
        """See `StreamOptions`."""
        self.facts: StreamFacts | None = None
        self.durability: Durability = UNKNOWN
        self.writes_through = False
        self._replicas = replicas
        self._create = create
        self._strict = strict
        self._intervals: dict[str, float | None] = dict.fromkeys(monitors)
        self._missing = ""

    @property
    def stream_ok(self) -> bool:
        """Whether the stream is there and configured as it should be."""
        return self.facts is not None and not self.facts.differences and not self._missing

    @property
    def missing(self) -> str:
        """That the stream is missing and must not be made, in words; "" where it is not so."""
        return self._missing

    @property
    def unsure(self) -> bool:
        """Whether there is something to look at again soon."""
        return bool(self._missing) or self.durability is UNKNOWN

    @property
    def too_weak(self) -> str:
        """Why the store is too weak for durability `strict`; "" where it is not, or where it need not be strong."""
        return f"durability is strict: {'; '.join(self.durability.weaknesses)}" if self._strict and self.durability.weaknesses else ""

    def reasons(self) -> list[str]:
        """Why nothing should be appended now; empty where it can."""
        found = [reason for reason in (self._missing, self.too_weak) if reason]
        if self.facts is not None and abs(self.facts.clock_ahead) > CLOCKS_APART:
            found.append(
                f"this node's clock is {self.facts.clock_ahead:+.0f} s from the server's; more than {CLOCKS_APART:g} s is not safe"
            )
        return found

    async def prepare(self, connection: Connection) -> None:
        """Before a new connection is used: is the stream there? Only the first connection ever may make it.

        Raises:
            Unavailable: that cannot be found out on the first connection.
        """
        known = self.facts is not None
        if self._strict:
            self.durability = UNKNOWN  # these servers may be others, or started anew: nothing is taken before they were looked at
        try:
            facts = await asked(
                connection,
                lambda connection: ensure_stream(connection, self._replicas, create=self._create and not known, timeout=PREPARE_TIMEOUT),
            )
        except Unavailable as error:
            if error.reason == "stream_missing":
                self._missing = str(error)
            elif not known:
                raise
            return  # where it is known to exist, its leader is being elected, perhaps: appends will tell
        self.facts, self._missing = facts, ""
        if known:
            return
        try:
            await self._look(connection, create=self._create)
        except Unavailable as error:
            if error.reason != "stream_missing":
                raise
            self._missing = str(error)

    async def look(self, connection: Connection) -> None:
        """Look again. What cannot be asked now stays as it is known."""
        try:
            await self._look(connection, create=False)
            self._missing = ""
        except Unavailable as error:
            if error.reason == "stream_missing":
                self._missing = str(error)
        except StreamError:
            return

    async def _look(self, connection: Connection, *, create: bool) -> None:
        facts = await asked(connection, lambda connection: ensure_stream(connection, self._replicas, create=False))
        replicas = {PROGRAMS: await self._programs(connection, create=create or not facts.last_sequence)}
        if (copies := await self._bucket(connection, PLACEMENT).replicas()) is not None:
            replicas[PLACEMENT] = copies
        sync = await read_sync_interval(connection, self._intervals)
        self.facts = facts
        self.writes_through = sync.seconds == 0
        self.durability = judge(connection.info, facts, replicas, sync, self._replicas)

    async def _programs(self, connection: Connection, *, create: bool) -> int:
        """Copies of the programs' bucket. It is made with the log and never beside one that has messages: their programs were in it."""
        bucket = self._bucket(connection, PROGRAMS)
        copies = await (bucket.ensure() if create else bucket.replicas())
        if copies is None:
            raise Unavailable(f"the bucket {PROGRAMS} is not there, though the log has messages: it is not made anew", "stream_missing")
        return copies

    def _bucket(self, connection: Connection, name: str) -> KeyValue:
        return KeyValue(lambda request: asked(connection, request), name, self._replicas)
