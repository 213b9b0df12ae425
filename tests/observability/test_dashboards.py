"""What stands in `docker/observability/` names metrics that exist, and Prometheus' own tool has nothing to say against any of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from aggregate.observability.metrics import Metrics
from aggregate.observability.node_metrics import NodeFacts
from aggregate.types.record import CommandRecord

FOLDER = Path(__file__).parents[2] / "docker" / "observability"
RULES = sorted((FOLDER / "rules").glob("aggregate*.yml"))
DASHBOARDS = sorted((FOLDER / "dashboards").glob("aggregate*.json"))
NAME = re.compile(r"\b(?:aggregate|process)_[a-z_]+\b")
LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"")
OF_SCRAPES = {"job", "instance", "le"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)


@pytest.fixture(scope="module")
def exported() -> str:
    """Everything a node can tell, with every label."""
    facts = NodeFacts(
        build={"version": "1", "engine": "pure", "python": "3"},
        breakers={"stream": "open", "storage": "closed"},
        consumers={"projection": 1},
        log_lines_dropped={"stdout": 1},
        queries={"": 1},
    )
    metrics = Metrics(["Account"], facts=lambda: facts)
    metrics.observe(CommandRecord("acme", "Account", "a", "c", outcome="failed", code="overloaded", cold=True, append_seconds=0.1))
    return metrics.export()[0].decode()


@pytest.fixture(scope="module")
def labels(exported: str) -> dict[str, set[str]]:
    """The labels of each sample name."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exported):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def alerts() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def queries() -> Iterator[tuple[str, str]]:
    """(where, query) of everything that asks Prometheus."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"]
        for variable in dashboard["templating"]["list"]:
            yield variable["name"], variable.get("definition", "")


def test_every_metric_and_label_that_is_named_exists(labels: dict[str, set[str]]) -> None:
    named = set()
    for where, query in queries():
        names = set(NAME.findall(query)) - {"aggregate_type"}
        assert names <= set(labels), f"{where}: {names - set(labels)}"
        asked = set(LABEL.findall(query)) | set(re.findall(r"by \(([^)]*)\)", query.replace(" ", "")))
        known = OF_SCRAPES.union(*(labels[name] for name in names))
        assert {each for one in asked for each in one.split(",")} <= known, f"{where}: {asked - known}"
        named |= names
    assert len(named) > 25


def test_every_metric_of_a_node_is_on_the_dashboard(labels: dict[str, set[str]]) -> None:
    shown = {name for path in DASHBOARDS for name in NAME.findall(path.read_text())}
    own = {name for name in labels if name.startswith("aggregate_") and not name.endswith(("_sum", "_count"))}
    assert own - shown == set()


def test_panels_lie_side_by_side_and_every_alert_says_what_to_do() -> None:
    for path in DASHBOARDS:
        places = [panel["gridPos"] for panel in json.loads(path.read_text())["panels"]]
        cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names)) >= 10
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] in {"critical", "warning", "info"} for rule in alerts())


@needs_promtool
def test_promtool_has_nothing_to_say_against_the_metrics(exported: str) -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=exported, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    bad = exported.replace("aggregate_commands_total", "aggregate_commands")
    assert subprocess.run(["promtool", "check", "metrics"], input=bad, capture_output=True, text=True, check=False).returncode


@needs_promtool
@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_promtool_has_nothing_to_say_against_the_rules(path: Path) -> None:
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@needs_promtool
def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    """Prometheus evaluates the rules over made-up series."""
    series = [
        {"series": 'aggregate_ready{instance="a"}', "values": "1 1 0 0 0 0 0"},
        {"series": 'aggregate_snapshot_mismatches_total{instance="a"}', "values": "0 0 0 0 1 1 1"},
        {"series": 'aggregate_commands_total{instance="a"}', "values": "0+100x20"},
        {"series": 'aggregate_command_errors_total{instance="a",code="storage"}', "values": "0+2x20"},
        {"series": 'aggregate_command_errors_total{instance="b",code="rejected"}', "values": "0+90x20"},
        {"series": 'aggregate_commands_total{instance="b"}', "values": "0+100x20"},
    ]

    def fires(alert: str, at: str, *instances: str) -> dict[str, Any]:
        rule = next(rule for rule in alerts() if rule["alert"] == alert)
        expected = [
            {
                "exp_labels": {"instance": instance, **rule["labels"]},
                "exp_annotations": {name: text.replace("{{ $labels.instance }}", instance) for name, text in rule["annotations"].items()},
            }
            for instance in instances
        ]
        return {"eval_time": at, "alertname": alert, "exp_alerts": expected}

    tests = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "alert_rule_test": [
                    fires("AggregateNodeNotReady", "3m"),
                    fires("AggregateNodeNotReady", "5m", "a"),
                    fires("AggregateSnapshotMismatch", "3m"),
                    fires("AggregateSnapshotMismatch", "5m", "a"),
                    fires("AggregateErrors", "15m", "a"),
                ],
            }
        ],
    }
    path = tmp_path / "tests.yml"
    path.write_text(yaml.safe_dump(tests))
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
