"""`Projection`: the rows of a node, kept up with the log, rebuilt beside when what they are made of changes.

One task follows the log and hands what has come to one writing thread; meanwhile the next messages gather, so batches are as long as the
writing takes, and a quiet log costs no waiting. State, indexes and position are one transaction: after a kill the log is read on from
there, so nothing is skipped and nothing done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TypedDict, TypeVar, Unpack

from aggregate.engine import Engine
from aggregate.errors import AggregateError, DeadlineExceeded, StorageError, StreamError, Unavailable
from aggregate.query.applying import Applied, Applier, Outdated
from aggregate.query.definitions import Definitions
from aggregate.query.filters import Filter, Filters
from aggregate.query.following import Follower, canary_wrong
from aggregate.query.holdings import Wanted
from aggregate.query.interface import Transaction
from aggregate.query.projected import Listener, Matcher
from aggregate.query.reading import StoreReading
from aggregate.query.status import ProjectionStatus
from aggregate.query.store import Store
from aggregate.query.stores import Stores
from aggregate.query.tenancy import Tenancy
from aggregate.query.view import View
from aggregate.query.waiting import Waiting
from aggregate.query.writer import Writer
from aggregate.storage.environment import Damaged
from aggregate.stream.events import EventStream
from aggregate.stream.interface import StoredMessage
from aggregate.types import AggregateType, TenantId

T = TypeVar("T")

READERS: Final = 4
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
TELL_EVERY: Final = 5.0

log = logging.getLogger("aggregate.query")


class ProjectionOptions(TypedDict, total=False):
    """What may be said of a projection.

    Attributes:
        wanted: whether the rows of a tenant are to be kept here; call `tenants_changed` when it has changed its mind.
        saw: is told the sequence of every lasting message.
        check: look through the files first: the process before was not stopped properly.
    """

    wanted: Wanted
    saw: Callable[[int], None]
    check: bool


def _everybody(_: TenantId) -> bool:
    return True


def _nobody(_: int) -> None:
    pass


class Projection:
    """The projection of one node.

    Args:
        folder: of the stores.
        definitions: what is projected.
        stream: the log.
    """

    def __init__(
        self,
        folder: Path,
        definitions: Definitions,
        stream: EventStream,
        engine: Engine,
        **options: Unpack[ProjectionOptions],
    ) -> None:
        self.definitions = definitions
        self.filters = Filters(engine)
        self._stream = stream
        self._writer = Writer()
        self._tenancy = Tenancy(stream, self._writer.run, options.get("wanted", _everybody))
        self._saw: Callable[[int], None] = options.get("saw", _nobody)
        self._stores = Stores(folder, definitions, check=options.get("check", False))
        self._position = 0
        self._target = 0
        self._failed = 0
        self._trouble = ""
        self._doubt = False
        self._replaced = ""
        self._waiting = Waiting(self._mark)
        self._listeners: list[Listener] = []
        self._follower: Follower | None = None
        self._marking: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._readers = ThreadPoolExecutor(READERS, "query")

    # Life.

    def start(self) -> None:
        """Begin to follow the log; a second call does nothing."""
        if self._task is None:
            self._watch_connection()
            self._task = asyncio.create_task(self._run(), name="projection")

    async def stop(self) -> None:
        """Stop following and let go of the files, once nobody reads."""
        task, self._task = self._task, None
        for each in (task, self._marking):
            if each is not None:
                each.cancel()
        await asyncio.gather(*(each for each in (task, self._marking) if each is not None), return_exceptions=True)
        for listener in self._listeners:
            listener.stopped()
        await self._writer.run(self._stores.close)
        await self._writer.close()
        self._readers.shutdown(wait=False)

    def begin_anew(self, reason: str) -> None:
        """The log is another one than it was: set aside what was made of it, and project this one."""
        self._withdraw(reason)
        if self._follower is not None:
            self._follower.interrupt()

    def tenants_changed(self) -> None:
        """Other tenants may be wanted than before."""
        self._tenancy.look()

    def status(self) -> ProjectionStatus:
        """How it is."""
        return ProjectionStatus(
            serving=self._answering is not None,
            building=self._stores.building is not None,
            sequence=self._position if self._stores.building is None else self._stores.building.sequence,
            target=self._target,
            failed=self._failed,
            coming=len(store.holdings.coming(self._tenancy.wanted)) if (store := self._stores.served) is not None else 0,
            trouble=self._trouble,
        )

    # What live queries and `QueryClient` ask.

    @property
    def types(self) -> Collection[AggregateType]:
        """The types that are projected."""
        return self.definitions.types

    @property
    def position(self) -> str:
        """Of the log, up to which the rows are."""
        return self._stream.position(self._position)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` from now on; what is returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def matcher(self, filter_text: str) -> Filter:
        """The compiled filter ("": every row). Raises ValidationError, which names `filter` and shows the place."""
        return self.filters.get(filter_text)

    def check_held(self, tenant_id: TenantId) -> None:
        """Raises Unavailable where the rows of a tenant are not kept here."""
        if not self._tenancy.wanted(tenant_id):
            raise Unavailable(f"the rows of tenant {str(tenant_id)!r} are not kept here; ask another node", reason="not_held")

    async def view(self, tenant_id: TenantId, look: Callable[[View], T]) -> tuple[T, str]:
        """What `look` finds of a tenant in a consistent view, in a thread; with the position that the view is of.

        Raises:
            Unavailable: there is no projection yet, or the tenant's rows are not here (yet). StorageError.
        """
        store = self._serving(tenant_id)
        known = self._position
        with ExitStack() as stack:
            stack.enter_context(self._damage_told())
            view = stack.enter_context(store.view())
            working = asyncio.get_running_loop().run_in_executor(self._readers, look, view)
            try:
                found = await asyncio.shield(working)
            except asyncio.CancelledError:  # the thread is still at it: what it reads stays open until it ends
                left = stack.pop_all()
                working.add_done_callback(lambda _: left.close())
                raise
        return found, self._stream.position(max(view.sequence, known if store is self._stores.served else 0))

    @asynccontextmanager
    async def reading(self, tenant_id: TenantId, aggregate_type: AggregateType | None, matcher: Matcher) -> AsyncIterator[StoreReading]:
        """Open a read transaction; `matcher` is one of ours. Raises Unavailable where the tenant's rows are not here (yet)."""
        assert isinstance(matcher, Filter), "`matcher` gives them"
        store = self._serving(tenant_id)
        known = self._position
        with self._damage_told(), store.view() as view:
            types = sorted(view.indexes) if aggregate_type is None else [aggregate_type]
            position = self._stream.position(max(known, view.sequence))
            reading = StoreReading(view, tenant_id, types, aggregate_type, matcher, self._readers, position, self._of_log(view.incarnation))
            try:
                yield reading
            finally:
                await reading.settle()

    def _of_log(self, incarnation: str) -> str:
        """What rows are made of, with the log they are of: positions in another one are of no use."""
        facts = getattr(self._stream, "facts", None)  # a log in memory has none
        return incarnation if facts is None else f"{incarnation} {facts.created}"

    async def reach(self, position: str, deadline: float) -> None:
        """Wait until the projection has come to a position of the log. Raises DeadlineExceeded, ValidationError (no position)."""
        wanted = self._stream.sequence(position)
        try:
            await self._waiting.until(lambda: self._answering is not None and self._position >= wanted, deadline)
        except TimeoutError:
            why = f"; {self._trouble}" if self._trouble else ""
            raise DeadlineExceeded(f"the projection is at {self.position} and did not come to {position} in time{why}") from None

    # Below: following the log.

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        """What a reader finds damaged is set aside and made anew."""
        try:
            yield
        except Damaged as damage:
            self.begin_anew(str(damage))
            raise

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                if self._replaced:
                    await self._writer.run(self._stores.set_aside, self._replaced)
                    self._replaced = ""
                    self._position = 0
                store = self._stores.building or self._stores.served
                if store is None or store.incarnation != self.definitions.digest:
                    store = await self._writer.run(self._stores.open)
                    if self._stores.served is not None:
                        self._position = max(self._position, self._stores.served.sequence)
                await self._follow(store)
                pause = FIRST_PAUSE
            except (AggregateError, OSError) as error:
                self._trouble = str(error)
                log.warning("the projection waits: %s", error)
                if isinstance(error, Damaged):
                    self._withdraw(str(error))
                elif isinstance(error, StorageError):
                    await self._writer.run(self._stores.set_damaged_aside, str(error))
            except Exception as error:  # a defect of ours must not end queries for good
                self._trouble = f"{type(error).__name__}: {error}"
                log.exception("the projection failed and is tried again")
            await asyncio.sleep(0 if self._replaced else pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _follow(self, store: Store) -> None:
        """Take what the log has into the store, until something goes wrong or the log turns out to be another one."""
        if wrong := await canary_wrong(self._stream, store.canary):
            self._withdraw(wrong)
            return
        if store is self._stores.served:
            self._position = store.sequence
        applier = Applier(store, self.definitions, self._tenancy.wanted)
        subscription = self._stream.subscribe(["tenant.*.aggregate.>"], after=store.sequence)
        async with subscription, Follower(subscription) as follower:
            self._follower = follower
            seeing_to = asyncio.create_task(self._tenancy.run(store, applier), name="tenants of the projection")
            try:
                self._target = await subscription.mark()
                told = time.monotonic()
                while not self._replaced:
                    batch = await follower.batch()
                    if batch is None:
                        continue
                    if self._doubt:  # the connection was lost: the log is looked at, and read on from what is known to stand in it
                        self._doubt = False
                        return
                    async with self._tenancy.turn:
                        await self._take(store, applier, batch.messages, batch.sequence)
                        self._tenancy.turn.notify_all()
                    self._tenancy.saw(store.holdings)
                    if batch.sequence >= self._target:
                        await follower.gather(self._waiting.hurry)
                    if self._stores.building is not None and time.monotonic() > told + TELL_EVERY:
                        told = time.monotonic()
                        log.info("projection %s: %s", store.folder.name, self.status().progress)
            finally:
                self._follower = None
                seeing_to.cancel()
                await asyncio.wait([seeing_to])

    async def _take(self, store: Store, applier: Applier, messages: list[StoredMessage], upto: int) -> None:
        tell = bool(self._listeners) and store is self._stores.served
        applied = Applied({}, 0)
        lasting = [message for message in messages if not message.expires]
        if lasting:
            try:
                applied = await self._writer.run(lambda: applier.apply(lasting, tell=tell))
            except Outdated:
                if len(lasting) == 1:
                    raise
                for message in lasting:  # those before it count
                    await self._take(store, applier, [message], message.sequence)
                return
            self._saw(lasting[-1].sequence)
        if self._replaced:
            return
        self._failed += applied.failed
        self._trouble = ""
        if store is self._stores.building:
            self._position = max(self._position, upto) if self._stores.served is None else self._position
            if upto >= self._target:
                await self._writer.run(store.mark_complete)
                if not self._replaced:
                    self._swap(store, upto)
            return
        transaction = Transaction(self._stream.position(upto), {name: tuple(changed) for name, changed in applied.changes.items()})
        for listener in self._listeners:
            listener.committed(transaction)
        self._advance(upto)

    def _swap(self, store: Store, upto: int) -> None:
        """Answer from the store that was built; what was before it is deleted once nobody reads it."""
        old, self._stores.served, self._stores.building = self._stores.served, store, None
        if old is not None:
            self._writer.later(old.delete)
        log.info("projection %s answers queries, at %s", store.folder.name, self._stream.position(upto))
        self._position = upto
        for listener in self._listeners:
            listener.replaced()
        self._advance(upto)

    def _advance(self, upto: int) -> None:
        self._position = max(self._position, upto)
        self._waiting.moved()

    def _mark(self) -> None:
        """Have a mark written, unless one is under way."""
        if (self._marking is None or self._marking.done()) and self._follower is not None:
            self._marking = asyncio.create_task(self._write_mark(self._follower))

    async def _write_mark(self, follower: Follower) -> None:
        with contextlib.suppress(Unavailable, StreamError):
            await follower.mark()

    @property
    def _answering(self) -> Store | None:
        """The store that queries are answered from, None while there is none."""
        return None if self._replaced else self._stores.served

    def _serving(self, tenant_id: TenantId) -> Store:
        """The store that answers for a tenant; nothing may be awaited before a view of it is opened."""
        self.check_held(tenant_id)
        store = self._answering
        if store is None:
            raise Unavailable(f"the projection is being built: {self.status().progress}", reason="projection_building", retry_after=0.5)
        if not store.holdings.has(tenant_id):
            text = f"tenant {str(tenant_id)!r} is new on this node, and its rows are being made of the log; try again soon"
            raise Unavailable(text, reason="projection_building", retry_after=0.5)
        return store

    def _watch_connection(self) -> None:
        listen = getattr(self._stream, "listen", None)
        if listen is not None:  # a log in memory has no connection to lose
            listen(lambda up: setattr(self, "_doubt", True) if up else None)

    def _withdraw(self, reason: str) -> None:
        """The rows are of another log, or damaged: nothing is answered from them any more, and they are made anew."""
        answered, self._replaced = self._answering is not None, reason
        if answered:
            for listener in self._listeners:
                listener.stopped()
