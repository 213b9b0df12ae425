"""Prometheus metrics of a node: what commands became, and what the node is like now. Each node has a registry of its own.

Labels are bounded: types are those of the manifest, tenants the busiest ones; the rest of both are `other`, so that nobody who makes up
names can make the node remember them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from aggregate.errors import TenantAccessDenied
from aggregate.observability.busiest import OTHER, BusiestTenants
from aggregate.types.record import CommandRecord

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
KEY = ("aggregate_type", "tenant_id")


class Metrics:
    """A registry and the observer that feeds it."""

    def __init__(self, types: Collection[str], tenants: int = 1000) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._types = frozenset(types)
        self._tenants = BusiestTenants(tenants)
        self._series: dict[tuple[str, str], _Series] = {}
        counter, histogram = self._counter, self._histogram
        self.commands = counter("aggregate_commands_total", "Commands answered.", KEY)
        self.errors = counter("aggregate_command_errors_total", "Commands refused, by the kind of error.", (*KEY, "code"))
        self.events = counter("aggregate_events_total", "Events produced.", KEY)
        self.gas = counter("aggregate_gas_total", "Gas used by programs.", KEY)
        self.duplicates = counter("aggregate_duplicate_commands_total", "Commands that had been decided before.", KEY)
        self.conflicts = counter("aggregate_version_conflicts_total", "Decisions made on a state that somebody else had changed.", KEY)
        self.denied = counter("aggregate_tenant_errors_total", "Commands for an aggregate of another tenant.", KEY)
        self.duration = histogram("aggregate_command_duration_seconds", "From a command's entry to its answer.", KEY)
        self.rehydration = histogram("aggregate_rehydration_duration_seconds", "Loading an aggregate from snapshot and log.", KEY[:1])
        self.verified = counter("aggregate_snapshot_verifications_total", "Aggregates folded again to verify what is kept of them.", ())
        self.mismatches = counter("aggregate_snapshot_mismatches_total", "Snapshots and cached states that were not what events make.", ())
        self.append = histogram("aggregate_append_duration_seconds", "Waiting for the log.", KEY[:1])

    def observe(self, record: CommandRecord) -> None:
        """Count one finished command."""
        series = self._series_of(record)
        series.commands.inc()
        series.duration.observe(record.total_seconds)
        if record.cold:
            series.rehydration.observe(record.load_seconds)
        if record.append_seconds:
            series.append.observe(record.append_seconds)
        for counter, amount in (
            (series.events, 0 if record.duplicate else record.events),
            (series.gas, 0 if record.duplicate else record.gas),
            (series.duplicates, int(record.duplicate)),
            (series.conflicts, record.retries),
            (series.denied, int(record.code == TenantAccessDenied.code)),
        ):
            if amount:
                counter.inc(amount)
        if record.code:
            series.error(record.code)

    def watch(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """A gauge that is read whenever the metrics are."""
        Gauge(name, help_text, registry=self.registry).set_function(read)

    def info(self, name: str, help_text: str, values: Mapping[str, str]) -> None:
        """A constant 1 with labels."""
        Gauge(name, help_text, tuple(values), registry=self.registry).labels(*values.values()).set(1)

    def breakers(self, read: Callable[[], Mapping[str, bool]]) -> None:
        """`aggregate_breaker_open{breaker}`, read whenever the metrics are."""
        self.registry.register(_Breakers(read))

    def export(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help_text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, help_text, labels, registry=self.registry)

    def _histogram(self, name: str, help_text: str, labels: tuple[str, ...]) -> Histogram:
        return Histogram(name, help_text, labels, registry=self.registry, buckets=BUCKETS)

    def _series_of(self, record: CommandRecord) -> _Series:
        kind = record.aggregate_type if record.aggregate_type in self._types else OTHER
        tenant = self._tenants.label(record.tenant_id)
        if tenant == OTHER:
            self._forget(self._tenants.elect())
        key = (kind, tenant)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(self, key)
        return series

    def _forget(self, tenants: Collection[str]) -> None:
        for key in [key for key in self._series if key[1] in tenants]:
            self._series.pop(key).remove()


class _Series:
    """The children of all metrics for one type and tenant: looking them up costs more than counting."""

    __slots__ = (
        "_errors",
        "_metrics",
        "append",
        "commands",
        "conflicts",
        "denied",
        "duplicates",
        "duration",
        "events",
        "gas",
        "key",
        "rehydration",
    )

    def __init__(self, metrics: Metrics, key: tuple[str, str]) -> None:
        self.key = key
        self._metrics = metrics
        self._errors: dict[str, Counter] = {}
        self.commands = metrics.commands.labels(*key)
        self.events = metrics.events.labels(*key)
        self.gas = metrics.gas.labels(*key)
        self.duplicates = metrics.duplicates.labels(*key)
        self.conflicts = metrics.conflicts.labels(*key)
        self.denied = metrics.denied.labels(*key)
        self.duration = metrics.duration.labels(*key)
        self.rehydration = metrics.rehydration.labels(key[0])
        self.append = metrics.append.labels(key[0])

    def error(self, code: str) -> None:
        """Count a refusal."""
        counter = self._errors.get(code)
        if counter is None:
            counter = self._errors[code] = self._metrics.errors.labels(*self.key, code)
        counter.inc()

    def remove(self) -> None:
        """Take what is labelled with the tenant out of the registry."""
        metrics = self._metrics
        for metric in (
            metrics.commands,
            metrics.events,
            metrics.gas,
            metrics.duplicates,
            metrics.conflicts,
            metrics.denied,
            metrics.duration,
        ):
            metric.remove(*self.key)
        for code in self._errors:
            metrics.errors.remove(*self.key, code)


class _Breakers(Collector):
    def __init__(self, read: Callable[[], Mapping[str, bool]]) -> None:
        self._read = read

    def collect(self) -> list[Metric]:
        family = GaugeMetricFamily("aggregate_breaker_open", "Whether a breaker is open (1) or not (0).", labels=["breaker"])
        for name, is_open in self._read().items():
            family.add_metric([name], float(is_open))
        return [family]
