"""What a node is like now, as metrics: read when somebody asks, so that it costs a command nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

STATES = ("closed", "half_open", "open")


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node at one moment, in numbers. What each is stands in `TABLE`.

    Attributes:
        build: labels of the build.
        breakers: state by name, one of `STATES`.
        consumers: the position of each that follows the log.
        queries: by the code of the error, "" where they were answered.
        log_lines_dropped: by where they should have gone.
    """

    build: Mapping[str, str] = field(default_factory=dict)
    ready: bool = False
    nats_connected: bool = False
    storage_connected: bool = False
    in_flight: int = 0
    draining_tenants: int = 0
    active_aggregates: int = 0
    cache_bytes: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    breakers: Mapping[str, str] = field(default_factory=dict)
    stream_sequence: int = 0
    stream_connects: int = 0
    consumers: Mapping[str, int] = field(default_factory=dict)
    snapshots_written: int = 0
    snapshots_dropped: int = 0
    snapshots_waiting: int = 0
    storage_set_aside: int = 0
    projection_failed: int = 0
    queries: Mapping[str, int] = field(default_factory=dict)
    query_seconds: float = 0.0
    live_queries: int = 0
    live_questions: int = 0
    live_events: int = 0
    live_lags: int = 0
    live_rows: int = 0
    verified: int = 0
    mismatches: int = 0
    log_lines_dropped: Mapping[str, int] = field(default_factory=dict)


class Row(NamedTuple):
    """A metric that is one number of the facts, or one for each label."""

    member: str
    kind: Literal["gauge", "counter"]
    name: str
    words: str
    label: str = ""


TABLE = (
    Row("ready", "gauge", "aggregate_ready", "Whether the node takes commands."),
    Row("nats_connected", "gauge", "aggregate_nats_connected", "Whether the log can be reached."),
    Row("storage_connected", "gauge", "aggregate_storage_connected", "Whether the snapshot store works."),
    Row("in_flight", "gauge", "aggregate_in_flight_commands", "Commands under way."),
    Row("draining_tenants", "gauge", "aggregate_draining_tenants", "Tenants whose commands are refused because they are drained."),
    Row("active_aggregates", "gauge", "aggregate_active_aggregates", "Aggregates kept ready in memory."),
    Row("cache_bytes", "gauge", "aggregate_cache_bytes", "Memory of the aggregates kept ready, as estimated."),
    Row("cache_hits", "counter", "aggregate_cache_hits", "Look-ups of an aggregate that was kept ready."),
    Row("cache_misses", "counter", "aggregate_cache_misses", "Look-ups of an aggregate that was not."),
    Row("stream_sequence", "gauge", "aggregate_stream_sequence", "The newest place in the log that the node knows of."),
    Row("stream_connects", "counter", "aggregate_nats_connects", "Connections to NATS that came up."),
    Row("consumers", "gauge", "aggregate_consumer_sequence", "How far in the log a consumer has come.", "consumer"),
    Row("snapshots_written", "counter", "aggregate_snapshots_written", "Snapshots written."),
    Row("snapshots_dropped", "counter", "aggregate_snapshots_dropped", "Snapshots that could not be written."),
    Row("snapshots_waiting", "gauge", "aggregate_snapshots_waiting", "Snapshots that wait to be written."),
    Row("storage_set_aside", "counter", "aggregate_storage_set_aside", "Times the snapshot store was set aside and begun anew."),
    Row("projection_failed", "gauge", "aggregate_projection_failed", "Aggregates hidden from queries: their history cannot be projected."),
    Row("queries", "counter", "aggregate_queries", "Queries answered, and refused by the code of the error.", "code"),
    Row("query_seconds", "counter", "aggregate_query_seconds", "Time that queries took, all together."),
    Row("live_queries", "gauge", "aggregate_live_queries", "Live queries that are open."),
    Row("live_questions", "gauge", "aggregate_live_questions", "Distinct ones among them: each looks at a change once."),
    Row("live_events", "counter", "aggregate_live_events", "Changes told to live queries, to each of them."),
    Row("live_lags", "counter", "aggregate_live_lags", "Times that a live query was too slow and began anew."),
    Row("live_rows", "counter", "aggregate_live_rows", "Rows that filters of live queries were run on."),
    Row("verified", "counter", "aggregate_snapshot_verifications", "Aggregates folded again to verify what is kept of them."),
    Row("mismatches", "counter", "aggregate_snapshot_mismatches", "Snapshots and cached states that were not what events make."),
    Row(
        "log_lines_dropped",
        "counter",
        "aggregate_log_lines_dropped",
        "Log lines dropped, by where they should have gone.",
        "sink",
    ),
)


class NodeCollector(Collector):
    """Makes the metrics of `TABLE`, `aggregate_build_info`, `aggregate_breaker_state` and `aggregate_consumer_lag`."""

    def __init__(self, read: Callable[[], NodeFacts]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        facts = self._read()
        build = GaugeMetricFamily("aggregate_build_info", "The build and the engine in use.", labels=tuple(facts.build))
        build.add_metric(tuple(facts.build.values()), 1)
        yield build
        for row in TABLE:
            family = (GaugeMetricFamily if row.kind == "gauge" else CounterMetricFamily)(
                row.name, row.words, labels=(row.label,) if row.label else ()
            )
            value = getattr(facts, row.member)
            for key, number in sorted(value.items()) if row.label else [("", value)]:
                family.add_metric((key,) if row.label else (), float(number))
            yield family
        states = GaugeMetricFamily("aggregate_breaker_state", "1 for the state that a breaker is in.", labels=("breaker", "state"))
        for name, now in sorted(facts.breakers.items()):
            for state in STATES:
                states.add_metric((name, state), float(state == now))
        yield states
        lag = GaugeMetricFamily("aggregate_consumer_lag", "Places in the log that a consumer has before it.", labels=("consumer",))
        for name, position in sorted(facts.consumers.items()):
            lag.add_metric((name,), max(0, facts.stream_sequence - position))
        yield lag
