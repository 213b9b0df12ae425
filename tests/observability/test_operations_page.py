"""`docs/operations.md` names every metric, route, alert and log field there is, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from aggregate.config import Settings
from aggregate.node import Node
from aggregate.observability.fields import fields
from aggregate.observability.metrics import Metrics
from aggregate.observability.node_metrics import NodeFacts
from aggregate.types.record import CommandRecord

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()


def rows(title: str) -> list[str]:
    """The first cells of the table below a title."""
    section = PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| `")]


def test_every_metric_is_told() -> None:
    families = [family for family in Metrics([], facts=NodeFacts).registry.collect() if family.name.startswith("aggregate_")]
    told = [f"`{family.name}{'_total' if family.type == 'counter' else ''}`" for family in families]
    assert rows("Metrics") == told
    assert all(f" | {family.type} | {family.documentation} |" in PAGE for family in families)


def test_every_route_is_told() -> None:
    routes = Node(Settings(nats_url="nats://127.0.0.1:1")).admin.routes
    assert rows("Admin API") == [f"`{route.method} {route.path}`" for route in routes]


def test_every_alert_is_told() -> None:
    rules = yaml.safe_load((ROOT / "docker/observability/rules/aggregate.yml").read_text())
    assert rows("Alerts") == [f"`{rule['alert']}`" for group in rules["groups"] for rule in group["rules"]]


def test_every_field_of_a_command_is_told() -> None:
    seconds = dict.fromkeys(("total_seconds", "load_seconds", "execute_seconds", "append_seconds"), 1.0)
    record = CommandRecord("acme", "Account", "a", "c", code="storage", duplicate=True, retries=1, cold=True, **seconds)
    assert set(re.findall(r"`(\w+)`", " ".join(rows("Logs")))) >= set(fields(record)) - {"position"}
