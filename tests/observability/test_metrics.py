"""Metrics: names and labels of the plan, bounded however many names come."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aggregate.observability.busiest import BusiestTenants
from aggregate.observability.metrics import Metrics
from aggregate.types.record import CommandRecord


def record(**members: object) -> CommandRecord:
    given = {"tenant_id": "acme", "aggregate_type": "Account", "aggregate_id": "a", "command_id": "c", "total_seconds": 0.003}
    return CommandRecord(**{**given, **members})  # type: ignore[arg-type]


def values(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.export().decode())
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
    assert values(metrics)["aggregate_rehydration_duration_seconds_count", KEY[:1]] == 0


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


def test_gauges_are_read_when_asked_for() -> None:
    metrics = Metrics([])
    level = 3
    metrics.watch("aggregate_in_flight", "Commands under way.", lambda: level)
    metrics.info("aggregate_build_info", "The build.", {"engine": "pure"})
    metrics.breakers(lambda: {"stream": level > 3})
    assert values(metrics)["aggregate_in_flight", ()] == 3
    level = 4
    found = values(metrics)
    assert found["aggregate_in_flight", ()] == 4
    assert found["aggregate_breaker_open", (("breaker", "stream"),)] == 1
    assert found["aggregate_build_info", (("engine", "pure"),)] == 1


def test_two_nodes_of_one_process_count_apart() -> None:
    one, two = Metrics(["Account"]), Metrics(["Account"])
    one.observe(record())
    assert ("aggregate_commands_total", KEY) not in values(two)
