"""Prometheus metrics of a node: what commands became (counted here), and what the node is like now (`node_metrics.py`).

Labels are bounded: types are those of the manifest, tenants the busiest ones; the rest of both are `other`, so that nobody who makes up
names can make the node remember them. Each node has a registry of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from aggregate.observability.busiest import OTHER, BusiestTenants
from aggregate.observability.node_metrics import NodeCollector, NodeFacts
from aggregate.observability.series import BOUNDS, Distribution, Series, Traced
from aggregate.types.record import CommandRecord

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
CONTENT_TYPES = (TEXT, OPENMETRICS)
KEY = ("aggregate_type", "tenant_id")
COUNTERS = (
    ("commands", "aggregate_commands", "Commands answered."),
    ("events", "aggregate_events", "Events produced."),
    ("gas", "aggregate_gas", "Gas used by programs."),
    ("duplicates", "aggregate_duplicate_commands", "Commands that had been decided before."),
    ("conflicts", "aggregate_version_conflicts", "Decisions made on a state that somebody else had changed."),
    ("denied", "aggregate_tenant_errors", "Commands for an aggregate of another tenant."),
)
LABELLED = (
    ("errors", "code", "aggregate_command_errors", "Commands refused, by the kind of error."),
    ("refusals", "limit", "aggregate_quota_refusals", "Commands refused because a quota or a limit was reached."),
)
LE = (*map(str, BOUNDS), "+Inf")


class Metrics(Collector):
    """A registry and the observer that feeds it."""

    def __init__(self, types: Collection[str], tenants: int = 1000, facts: Callable[[], NodeFacts] | None = None) -> None:
        """`tenants`: how many have a label of their own. `facts`: what is read of the node whenever the metrics are."""
        self.registry = CollectorRegistry()
        self._types = frozenset(types)
        self._tenants = BusiestTenants(tenants)
        self._series: dict[tuple[str, str], Series] = {}
        self._rehydration: dict[str, Distribution] = {}
        self._append: dict[str, Distribution] = {}
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        if facts is not None:
            self.registry.register(NodeCollector(facts))

    def observe(self, record: CommandRecord) -> None:
        """Count one finished command."""
        kind = record.aggregate_type if record.aggregate_type in self._types else OTHER
        tenant = self._tenants.label(record.tenant_id)
        if tenant == OTHER:
            for lost in self._tenants.elect():
                for key in [key for key in self._series if key[1] == lost]:
                    del self._series[key]
        series = self._series.get((kind, tenant))
        if series is None:
            series = self._series[kind, tenant] = Series()
        bucket = series.count(record)
        if record.sampled:  # only then is there a trace to look at
            series.duration.traced[bucket] = Traced(record.trace_id, record.total_seconds, time.time())
        if record.append_seconds:
            self._of(self._append, kind).observe(record.append_seconds)
        if record.cold:
            self._of(self._rehydration, kind).observe(record.load_seconds)

    def export(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics in a format that an `Accept` header asks for, and its content type. Only OpenMetrics has exemplars."""
        if "application/openmetrics-text" in accept:
            return openmetrics.generate_latest(self.registry), OPENMETRICS  # type: ignore[no-untyped-call]
        return generate_latest(self.registry), TEXT

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        series = sorted(self._series.items())
        for member, name, words in COUNTERS:
            family = CounterMetricFamily(name, words, labels=KEY)
            for key, each in series:
                family.add_metric(key, getattr(each, member))
            yield family
        for member, label, name, words in LABELLED:
            family = CounterMetricFamily(name, words, labels=(*KEY, label))
            for key, each in series:
                for value, count in sorted(getattr(each, member).items()):
                    family.add_metric((*key, value), count)
            yield family
        durations = {key: each.duration for key, each in series}
        yield _histogram("aggregate_command_duration_seconds", "From a command's entry to its answer.", KEY, durations)
        for name, words, which in (
            ("aggregate_rehydration_duration_seconds", "Loading an aggregate from snapshot and log.", self._rehydration),
            ("aggregate_append_duration_seconds", "Waiting for the log.", self._append),
        ):
            yield _histogram(name, words, KEY[:1], {(kind,): each for kind, each in sorted(which.items())})

    @staticmethod
    def _of(which: dict[str, Distribution], kind: str) -> Distribution:
        found = which.get(kind)
        if found is None:
            found = which[kind] = Distribution()
        return found


def _histogram(name: str, words: str, labels: tuple[str, ...], found: Mapping[Any, Distribution]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, words, labels=labels)
    for key, distribution in found.items():
        buckets = [
            (bound, count) if (traced := distribution.traced.get(number)) is None else (bound, count, _exemplar(traced))
            for number, (bound, count) in enumerate(zip(LE, distribution.cumulated(), strict=True))
        ]
        family.add_metric(key, buckets, distribution.sum)
    return family


def _exemplar(traced: Traced) -> Exemplar:
    return Exemplar({"trace_id": traced.trace_id}, traced.value, traced.time)
