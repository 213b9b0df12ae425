"""`Node`: everything put together. The one place that knows all the parts; build, start, drain, stop, in that order."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import random
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import structlog

import aggregate.engine
from aggregate._version import __version__
from aggregate.admin.health import health_routes
from aggregate.admin.metrics import metrics_routes
from aggregate.admin.placement import placement_routes
from aggregate.admin.route import Route
from aggregate.admin.server import AdminServer
from aggregate.admin.tenants import tenant_routes
from aggregate.config import Settings
from aggregate.errors import AggregateError, ConfigError, Mistake, StorageError, Unavailable
from aggregate.gateway.health import Check, HealthStatus
from aggregate.gateway.interface import Backend
from aggregate.gateway.keeping import Keeping
from aggregate.gateway.routing import Routing
from aggregate.gateway.server import CommandServer
from aggregate.handler import AggregateHandler
from aggregate.handler.cache import HotCache
from aggregate.handler.log_guard import LogGuard
from aggregate.handler.verifying import Verification
from aggregate.observability.activity import Activity
from aggregate.observability.logs import CommandLog
from aggregate.observability.metrics import CONTENT_TYPES, Metrics
from aggregate.observability.node_metrics import NodeFacts
from aggregate.observability.otlp import spans_of
from aggregate.placement.seat import Seat
from aggregate.query.client import QueryClient
from aggregate.query.definitions import Definitions
from aggregate.query.projection import ProjectionOptions
from aggregate.query.running import RunningQueries
from aggregate.runtime import ProgramSet, RuntimeExecutor
from aggregate.storage import StorageClient
from aggregate.stream import StreamClient
from aggregate.stream.interface import EventLog
from aggregate.stream.notices import Notices

log = structlog.get_logger("aggregate.node")

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
LAST_LOOK = 1.0
"""Seconds that a stopping node takes to remember where the log stood."""
LOOK = 0.5
"""Seconds between two looks at whether the node is ready; a connection that comes or goes is looked at once."""


class Node:
    """A node: programs, store, log, handler, servers.

    The constructor builds what needs nothing from outside and raises what is wrong with the settings, the manifest or a program
    (ConfigError). `start` opens the store and the ports; the log may be away: then the node is up, answers /health, and keeps trying.
    """

    def __init__(self, settings: Settings, *, own_log: bool = False, log_drops: Callable[[], Mapping[str, int]] = dict) -> None:
        """`own_log`: nobody else keeps the log, so that one which is missing is a mistake (ConfigError) and nothing to wait for.
        `log_drops`: how many log lines were dropped, by where they should have gone.
        """
        self._settings = settings
        self._own_log = own_log
        engine = aggregate.engine.get(settings.engine)
        executor = RuntimeExecutor.of_settings(settings, engine)
        self.engine_name = engine.name
        self._engine = engine
        self._programs = executor.load(settings.load_manifest())
        self._projects = settings.projection and bool(Definitions.of(self._programs).types)
        if settings.role == "query" and not self._projects:
            raise ConfigError([Mistake("role", "`query` has nothing to answer: no type is projected, or `projection` is off")])
        self._queries: RunningQueries | None = None
        self._storage: StorageClient | None = None
        self._stream: StreamClient | None = None
        self._handler: AggregateHandler | None = None
        self._waiting_for = "starting"
        self._draining = False
        self._changed = asyncio.Event()
        self._parts = contextlib.AsyncExitStack()
        self._log_drops = log_drops
        self._verified = self._mismatches = 0
        self._metrics = Metrics(self.types, settings.metric_tenants, self._facts)
        self._spans, self._end_spans = spans_of(settings)
        self._seat = Seat(settings.node_name, settings.placement_file)
        self._routing = Routing.of_settings(settings, self._seat.ownership)
        backend = Backend(self._up, self._log, engine.canonical, self._asked, self._spans)
        self._gateway = CommandServer(backend, settings, self.health, self._routing)
        self._seat.custody.on_gone(self._gateway.tenant_gone)
        self._activity = Activity()
        self.admin = AdminServer(settings, self._admin_routes())
        self._bringing_up: asyncio.Task[None] | None = None
        self._verifying: asyncio.Task[NoReturn] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[NoReturn] | None = None
        self._guard: LogGuard | None = None
        self._warnings: tuple[str, ...] = ()

    @property
    def grpc_address(self) -> str:
        """host:port of the gRPC server."""
        return self._gateway.address

    @property
    def admin_address(self) -> str:
        """host:port of the admin server."""
        return self.admin.address

    @property
    def types(self) -> list[str]:
        """The aggregate types it serves."""
        return sorted(program.type for program in self._programs)

    @property
    def serves_bank(self) -> bool:
        """Whether it serves the shipped example, because it was given no manifest."""
        return self._settings.uses_example

    async def start(self) -> None:
        """Open the store, listen, and begin to bring the log up.

        Raises:
            ConfigError: an address cannot be had; the storage folder is in use by another process, or cannot be used.
        """
        settings = self._settings
        # The last to be opened is the first to be closed, so the admin server can tell of a node that stops until the end.
        await self.admin.start()
        self._parts.push_async_callback(self.admin.stop)
        try:
            self._storage = await StorageClient.open(
                settings.storage_path, breaker_threshold=settings.breaker_threshold, breaker_reset=settings.breaker_reset
            )
        except StorageError as error:
            raise ConfigError([Mistake("storage_path", str(error))]) from error
        self._parts.push_async_callback(self._storage.close)
        self._parts.push_async_callback(self._close_stream)
        self._parts.push_async_callback(self._close_queries)
        await self._gateway.start()
        self._parts.push_async_callback(self._routing.peers.close)
        self._parts.push_async_callback(self._seat.stop)
        self._parts.push_async_callback(self._gateway.stop, 1.0)
        self._bringing_up = asyncio.create_task(self._bring_up(self._storage))
        self._parts.push_async_callback(self._cancel_tasks)
        log.info("listening", grpc=self.grpc_address, admin=self.admin_address, engine=self.engine_name, types=self.types)

    async def run(self) -> NoReturn:
        """Keep the gRPC health service true to the node, for ever.

        Raises:
            ConfigError: the log is not what the settings demand of it, so this node must not serve.
        """
        assert self._bringing_up is not None, "start comes first"
        told: tuple[str, ...] | None = None
        while True:
            if self._bringing_up.done():
                self._bringing_up.result()
                told = self._tell_change(told)
            await self._gateway.set_serving(self.health().ready)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):  # `wait_for` may swallow a cancellation (Python 3.11), and then we never stop
                    await self._changed.wait()
            self._changed.clear()

    def _tell_change(self, told: tuple[str, ...] | None) -> tuple[str, ...]:
        """Log that the node got ready or stopped being it; the reasons that were told last."""
        reasons = self.health().reasons
        if told and not reasons:
            log.warning("ready again")
        elif reasons and not told:
            log.warning("not ready", reasons=reasons)
        return reasons

    async def wait_until_ready(self) -> bool:
        """Wait until commands are taken; returns True. Raises as `run`."""
        assert self._bringing_up is not None, "start comes first"
        await self._bringing_up
        return True

    async def stop(self) -> bool:
        """Refuse what is new, finish what is under way (DRAIN_TIMEOUT), close everything. After a failed `start` too.

        Returns whether everything was finished; what was not has an outcome that only the log knows.
        """
        if not self._draining:
            log.info("stopping", in_flight=self._handler.in_flight if self._handler is not None else 0)
        self._draining = True
        await self._gateway.set_serving(False)
        finished = self._handler is None or await self._handler.drain(self._settings.drain_timeout)
        if self._handler is not None and not finished:
            log.warning("stopping by force: commands are still under way", in_flight=self._handler.in_flight)
        if self._guard is not None:
            with contextlib.suppress(AggregateError, TimeoutError):
                async with asyncio.timeout(LAST_LOOK):
                    await self._guard.look()
        await self._parts.aclose()
        await asyncio.to_thread(self._end_spans)
        log.info("stopped", finished=finished)
        return finished

    def health(self) -> HealthStatus:
        """How the node is now."""
        storage = self._storage.health() if self._storage is not None else None
        handler, stream = self._handler, self._stream
        return HealthStatus(
            nats_connected=stream is not None and stream.connected,
            storage_connected=storage is not None and storage.connected,
            active_aggregates=handler.active_aggregates if handler is not None else 0,
            in_flight=handler.in_flight if handler is not None else 0,
            engine=self.engine_name,
            node=self._settings.node_name,
            version=__version__,
            durability=stream.durability if stream is not None else "",
            reasons=tuple(self._reasons()),
            warnings=(*self._warnings, *([self._guard.replaced] if self._guard is not None and self._guard.replaced else [])),
            checks=self._checks(),
        )

    def _checks(self) -> tuple[Check, ...]:
        """The parts that a node needs before it takes commands."""
        stream, storage = self._stream, self._storage
        store = storage.health() if storage is not None else None
        lost = stream.reasons() if stream is not None else [self._waiting_for]
        trusted = self._guard is not None and self._guard.trusted.is_set()
        consumers = "" if trusted else "looking whether the log is the one remembered" if self._guard is not None else self._waiting_for
        return (
            Check("config", ok=True, detail=f"serves {', '.join(self.types)}"),
            Check("storage", ok=store is not None, detail="" if store is None else f"snapshots: breaker {store.breaker}"),
            Check("stream", ok=not lost, detail="; ".join(lost)),
            Check("consumers", ok=trusted, detail=consumers),
            Check("placement", *self._seat.told()),
            *self._projection_check(),
        )

    def _projection_check(self) -> tuple[Check, ...]:
        """The projection, where there is one. Commands do not wait for it."""
        if self._queries is None:
            return ()
        status = self._queries.status
        return (Check("projection", ok=status.serving and not status.trouble, detail=str(status)),)

    def _reasons(self) -> list[str]:
        """Why no commands are taken."""
        if self._draining:
            return ["the node stops"]
        if self._stream is None:
            return [self._waiting_for]
        reasons = self._stream.reasons()
        if self._guard is not None and not self._guard.trusted.is_set():
            reasons.append("looking whether the log is the one remembered")
        if self._settings.role == "query":
            if self._queries is not None and not self._queries.status.serving:
                reasons.append(f"projection: {self._queries.status}")
            return reasons if reasons or self._queries is not None else [self._waiting_for]
        return reasons if reasons or self._handler is not None else [self._waiting_for]

    async def _bring_up(self, storage: StorageClient) -> None:
        """Connect, tell the log our programs, build the handler; what fails is tried again until it works."""
        # A folder that has seen a log must not be given a new, empty one: that log is away, or lost.
        self._stream = stream = await StreamClient.of_settings(self._settings, create=not storage.stream_seen())
        stream.listen(lambda _: self._changed.set())
        pause = FIRST_PAUSE
        while True:
            self._tell_reasons(stream)
            await stream.wait_connected()
            if self._own_log and stream.missing:
                advice = "put the log back, or delete the folder of the snapshots too to begin anew"
                raise ConfigError([Mistake("storage_path", f"{stream.missing}; {advice}")])
            try:
                programs = await register(self._programs, stream)
                break
            except AggregateError as error:
                self._waiting_for = str(error)
                log.warning("not ready", reason=self._waiting_for)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)
        storage.mark_stream_seen()
        self._waiting_for = "looking for the placement"
        await self._seat.start(stream)
        guard = LogGuard(storage, stream)
        stream.listen(lambda up: None if up else guard.doubt())
        await self._trusted(guard)
        observers = [self._metrics.observe, self._activity.observe, CommandLog(payloads=self._settings.log_payloads).observe]
        if self._spans is not None:
            observers.append(self._spans.observe)
        if self._settings.change_notices:
            observers.append(Notices(stream.hint).observe)
        self._guard = guard
        if self._projects:
            self._begin_queries(programs, storage, stream, guard)
        if self._settings.role == "query":
            await self._gateway.set_serving(True)
            log.info("ready", role="query")
            return
        handler = AggregateHandler(self._settings, programs, storage, stream, observers, guard)
        if self._queries is not None:
            handler.serve_queries(self._queries.client.after)
        self._waiting_for = "telling the other nodes that it is here"
        await self._seat.begin(stream, handler, handler.warmer().warm)
        self._handler = handler
        self._saving = asyncio.create_task(handler.saver.run(), name="snapshots by time")
        if self._settings.verify_interval:
            self._verifying = asyncio.create_task(handler.verifier(self._note_verification).run(self._settings.verify_interval))
        await self._gateway.set_serving(True)
        log.info("ready", durability=stream.durability)

    def _begin_queries(self, programs: ProgramSet, storage: StorageClient, stream: StreamClient, guard: LogGuard) -> None:
        folder = storage.path / "projections"
        keeping = Keeping.of_settings(self._settings, self._seat.ownership)
        options: ProjectionOptions = {"wanted": keeping.wanted, "saw": guard.saw, "check": storage.was_running}
        self._queries = queries = RunningQueries(folder, programs, stream, self._engine, self._settings, **options)
        self._seat.ownership.listen(lambda: queries.placement_changed(keeping.ended))
        guard.on_replaced(lambda: queries.projection.begin_anew(guard.replaced))
        queries.start()

    async def _trusted(self, guard: LogGuard) -> None:
        """Begin to watch the log, and wait until it is known to be the one that is remembered."""
        guard.doubt()
        self._watching = asyncio.create_task(guard.run(), name="log guard")
        self._waiting_for = "looking whether the log is the one remembered"
        await guard.trusted.wait()

    def _note_verification(self, verification: Verification) -> None:
        """Count it, and tell of a mismatch for as long as the node runs."""
        self._verified += 1
        self._mismatches += len(verification.mismatches)
        for mismatch in verification.mismatches:
            self._warnings = (str(mismatch),)

    def _tell_reasons(self, stream: StreamClient) -> None:
        if reasons := stream.reasons():
            self._waiting_for = "; ".join(reasons)
            log.warning("not ready", reason=self._waiting_for)

    async def _cancel_tasks(self) -> None:
        for task in (self._bringing_up, self._verifying, self._saving, self._watching):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _close_queries(self) -> None:
        if self._queries is not None:
            await self._queries.close()

    async def _close_stream(self) -> None:
        if self._stream is not None:
            await self._stream.close()

    def _asked(self) -> QueryClient:
        if self._queries is None:
            why = f"the node is not ready: {self._waiting_for}" if self._projects else "this node answers no queries"
            raise Unavailable(why, "starting" if self._projects else "no_projection")
        return self._queries.client

    def _up(self) -> AggregateHandler:
        if self._settings.role == "query":
            raise Unavailable("this node answers queries alone; send it to another", "query_only")
        if self._handler is None:
            raise Unavailable(f"the node is not ready: {self._waiting_for}", "starting")
        return self._handler

    def _log(self) -> StreamClient:
        if self._stream is None or (self._handler is None and self._queries is None):
            raise Unavailable(f"the node is not ready: {self._waiting_for}", "starting")
        return self._stream

    def _admin_routes(self) -> list[Route]:
        """Each group of routes lives in a file of its own in `admin/`."""
        return [
            *health_routes(self.health),
            *metrics_routes(self._metrics.export, CONTENT_TYPES),
            *tenant_routes(self._up, self._activity.times, self._settings.drain_timeout, self._seat.ownership.pinned),
            *placement_routes(self._seat),
        ]

    def _query_facts(self) -> dict[str, Any]:
        """Those of its queries."""
        if self._queries is None:
            return {}
        status, live, counts = self._queries.status, self._queries.live, self._gateway.queries
        return {
            "consumers": {"projection": status.sequence},
            "projection_failed": status.failed,
            "queries": {code or "ok": number for code, number in counts.answered.items()},
            "query_seconds": counts.seconds,
            "live_queries": live.watchers,
            "live_questions": live.questions,
            "live_events": live.counts.events,
            "live_lags": live.counts.lags,
            "live_rows": live.counts.evaluations,
        }

    def _facts(self) -> NodeFacts:
        """The node in numbers, for its metrics."""
        handler, stream, guard = self._handler, self._stream, self._guard
        cache = handler.cache if handler is not None else HotCache(0)
        storage = self._storage.health() if self._storage is not None else None
        known = stream.facts.last_sequence if stream is not None and stream.facts is not None else 0
        return NodeFacts(
            build={"version": __version__, "engine": self.engine_name, "python": platform.python_version()},
            ready=not self._reasons(),
            nats_connected=stream is not None and stream.connected,
            storage_connected=storage is not None and storage.connected,
            in_flight=handler.in_flight if handler is not None else 0,
            draining_tenants=len(handler.draining_tenants()) if handler is not None else 0,
            active_aggregates=len(cache),
            cache_bytes=cache.bytes,
            cache_hits=cache.hits,
            cache_misses=cache.misses,
            breakers={
                **({"stream": stream.health().breaker} if stream is not None else {}),
                **({"storage": storage.breaker} if storage is not None else {}),
            },
            stream_sequence=max(known, guard.newest if guard is not None else 0),
            stream_connects=stream.connects if stream is not None else 0,
            snapshots_written=storage.written if storage is not None else 0,
            snapshots_dropped=storage.dropped if storage is not None else 0,
            snapshots_waiting=storage.waiting if storage is not None else 0,
            storage_set_aside=len(storage.set_aside) if storage is not None else 0,
            **self._query_facts(),
            verified=self._verified,
            mismatches=self._mismatches,
            log_lines_dropped=self._log_drops(),
        )


async def register(programs: ProgramSet, stream: EventLog) -> ProgramSet:
    """The programs with their generations, after the log was told of them. Raises Unavailable, StreamError."""
    generations = {each.type: await stream.register_program(each.type, each.digest, each.language, each.source) for each in programs}
    return programs.with_generations(generations)
