"""Metrics: names and labels of the plan, bounded however many names come."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from aggregate.observability.busiest import BusiestTenants
from aggregate.observability.metrics import OPENMETRICS, TEXT, Metrics
from aggregate.observability.node_metrics import NodeFacts
from aggregate.types.record import CommandRecord

TRACE = "0af7651916cd43dd8448eb211c80319c"


def record(**members: object) -> CommandRecord:
    given = {"tenant_id": "acme", "aggregate_type": "Account", "aggregate_id": "a", "command_id": "c", "total_seconds": 0.003}
    return CommandRecord(**{**given, **members})  # type: ignore[arg-type]


def values(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.export()[0].decode())
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


KEY = (("aggregate_type", "Account"), ("tenant_id", "acme"))


def test_an_accepted_command_counts() -> None:
    metrics = Metrics(["Account"])
    metrics.observe(record(events=2, gas=30, retries=1, cold=True, load_seconds=0.004, append_seconds=0.002))
    found = values(metrics)
    assert found["aggregate_commands_total", KEY] == 1
    assert found["aggregate_events_total", KEY] == 2
    assert found["aggregate_gas_total", KEY] == 30
    assert found["aggregate_version_conflicts_total", KEY] == 1
    assert found["aggregate_command_duration_seconds_count", KEY] == 1
    assert found["aggregate_command_duration_seconds_sum", KEY] == pytest.approx(0.003)
    assert found["aggregate_rehydration_duration_seconds_sum", KEY[:1]] == pytest.approx(0.004)
    assert found["aggregate_append_duration_seconds_count", KEY[:1]] == 1
    assert not [name for name, _ in found if name == "aggregate_command_errors_total"]


def test_a_warm_command_is_no_rehydration() -> None:
    metrics = Metrics(["Account"])
    metrics.observe(record())
    assert ("aggregate_rehydration_duration_seconds_count", KEY[:1]) not in values(metrics)


def test_a_duplicate_counts_its_events_and_gas_once() -> None:
    metrics = Metrics(["Account"])
    metrics.observe(record(events=2, gas=30))
    metrics.observe(record(events=2, gas=30, duplicate=True))
    found = values(metrics)
    assert (found["aggregate_events_total", KEY], found["aggregate_gas_total", KEY]) == (2, 30)
    assert found["aggregate_duplicate_commands_total", KEY] == 1


def test_errors_count_by_code_and_a_denied_tenant_of_its_own() -> None:
    metrics = Metrics(["Account"])
    metrics.observe(record(outcome="rejected", code="rejected", reason="insufficient_funds"))
    metrics.observe(record(outcome="failed", code="tenant_access_denied"))
    found = values(metrics)
    errors = {labels[1][1]: value for (name, labels), value in found.items() if name == "aggregate_command_errors_total"}
    assert errors == {"rejected": 1, "tenant_access_denied": 1}
    assert found["aggregate_tenant_errors_total", KEY] == 1


def test_names_that_strangers_make_up_do_not_grow_the_labels() -> None:
    metrics = Metrics(["Account"], tenants=3)
    for number in range(50):
        metrics.observe(record(tenant_id=f"t{number}", aggregate_type=f"Made{number}"))
        metrics.observe(record(tenant_id=f"t{number}"))
    labels = {labels for name, labels in values(metrics) if name == "aggregate_commands_total"}
    assert {dict(each)["tenant_id"] for each in labels} == {"t0", "t1", "t2", "other"}
    assert {dict(each)["aggregate_type"] for each in labels} == {"Account", "other"}


def test_the_busiest_tenants_have_labels_in_the_long_run() -> None:
    metrics = Metrics(["Account"], tenants=2)
    for number in range(2):
        metrics.observe(record(tenant_id=f"early{number}", outcome="failed", code="storage"))
    for _ in range(1500):
        metrics.observe(record(tenant_id="busy", outcome="rejected", code="rejected"))
    found = values(metrics)
    tenants = {dict(labels)["tenant_id"] for name, labels in found if name == "aggregate_commands_total"}
    assert "busy" in tenants
    assert len(tenants) == 3  # and one of the early ones, and the rest
    errors = {(dict(labels)["tenant_id"], dict(labels)["code"]) for name, labels in found if name == "aggregate_command_errors_total"}
    assert len([pair for pair in errors if pair[1] == "storage"]) == 1
    total = sum(value for (name, _), value in found.items() if name == "aggregate_commands_total")
    assert total == 1501  # what the one that lost its label had counted is gone with it


def test_a_tenant_keeps_its_label_while_nobody_is_busier() -> None:
    tenants = BusiestTenants(3)
    for name in ("t0", "t1", "t2"):
        tenants.label(name)
    for number in range(20_000):
        tenants.label(f"t{number % 3}")
        tenants.label(f"made-up-{number}")
        assert tenants.elect() == []
    assert [tenants.label(name) for name in ("t0", "t1", "t2", "made-up-1")] == ["t0", "t1", "t2", "other"]


def test_no_labels_at_all_is_possible() -> None:
    metrics = Metrics(["Account"], tenants=0)
    for _ in range(1200):
        metrics.observe(record())
    assert values(metrics)["aggregate_commands_total", (("aggregate_type", "Account"), ("tenant_id", "other"))] == 1200


def test_the_tenant_without_a_name_is_a_tenant() -> None:
    metrics = Metrics(["Account"])
    metrics.observe(record(tenant_id=""))
    assert values(metrics)["aggregate_commands_total", (("aggregate_type", "Account"), ("tenant_id", ""))] == 1


def test_what_the_node_is_like_is_read_when_asked_for() -> None:
    facts = [NodeFacts(in_flight=3, build={"engine": "pure"}, breakers={"stream": "open"}, log_lines_dropped={"socket": 2})]
    metrics = Metrics([], facts=lambda: facts[-1])
    assert values(metrics)["aggregate_in_flight_commands", ()] == 3
    facts.append(replace(facts[0], in_flight=4, stream_sequence=10, consumers={"projection": 7}))
    found = values(metrics)
    assert found["aggregate_in_flight_commands", ()] == 4
    assert found["aggregate_build_info", (("engine", "pure"),)] == 1
    states = {dict(labels)["state"]: value for (name, labels), value in found.items() if name == "aggregate_breaker_state"}
    assert states == {"closed": 0, "half_open": 0, "open": 1}
    assert found["aggregate_consumer_lag", (("consumer", "projection"),)] == 3
    assert found["aggregate_log_lines_dropped_total", (("sink", "socket"),)] == 2


def test_refusals_by_quotas_count_by_what_was_reached() -> None:
    metrics = Metrics(["Account"])
    for reason in ("quota_gas", "quota_gas", "queue_full", "made up"):
        metrics.observe(record(outcome="failed", code="overloaded", reason=reason))
    found = {dict(labels)["limit"]: value for (name, labels), value in values(metrics).items() if name == "aggregate_quota_refusals_total"}
    assert found == {"gas": 2, "queue": 1, "other": 1}


def test_buckets_hold_what_is_up_to_their_bound() -> None:
    metrics = Metrics(["Account"])
    for seconds in (0.0001, 0.001, 0.0011, 99.0):
        metrics.observe(record(total_seconds=seconds))
    found = values(metrics)
    buckets = {dict(labels)["le"]: value for (name, labels), value in found.items() if name == "aggregate_command_duration_seconds_bucket"}
    assert (buckets["0.0005"], buckets["0.001"], buckets["0.002"], buckets["5.0"], buckets["+Inf"]) == (1, 2, 3, 3, 4)
    assert found["aggregate_command_duration_seconds_count", KEY] == 4


def test_a_sampled_trace_is_an_example_of_its_bucket_where_the_format_has_such() -> None:
    metrics = Metrics(["Account"])
    metrics.observe(record(traceparent=f"00-{TRACE}-b7ad6b7169203331-01", trace_id=TRACE))
    metrics.observe(record(traceparent=f"00-{'c' * 32}-b7ad6b7169203331-00", trace_id="c" * 32, total_seconds=0.1))
    text, content_type = metrics.export("application/openmetrics-text; version=1.0.0")
    assert content_type == OPENMETRICS
    families = openmetrics_families(text.decode())
    examples = {sample.labels["le"]: sample.exemplar for family in families for sample in family.samples if sample.exemplar}
    assert list(examples) == ["0.005"]
    assert (examples["0.005"].labels, examples["0.005"].value) == ({"trace_id": TRACE}, 0.003)
    text, content_type = metrics.export("text/plain;version=0.0.4")
    assert content_type == TEXT
    assert TRACE not in text.decode()


def test_two_nodes_of_one_process_count_apart() -> None:
    one, two = Metrics(["Account"]), Metrics(["Account"])
    one.observe(record())
    assert ("aggregate_commands_total", KEY) not in values(two)
