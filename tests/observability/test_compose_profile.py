"""The profile `observability` of docker-compose.yml: what its parts say of each other holds. VictoriaMetrics and vmalert are run by
`tests/docker/test_compose.py`; Grafana, Loki and Vector are in no package that the tests can have, so that theirs is looked at, not run.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from .test_logs_and_spans import logged

__all__ = ["logged"]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker/observability"
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


def mounts(service: str) -> dict[str, str]:
    """Where a service finds what."""
    pairs = [each.split(":")[:2] for each in SERVICES[service]["volumes"]]
    return {inside: outside for outside, inside in pairs}


def is_there(url: str) -> bool:
    """Whether a service of this name listens on this port, and is reached over a network that all of them share."""
    found = re.fullmatch(r"http://([a-z]+):(\d+)", url)
    assert found is not None, url
    ports = {"metrics": "8428", "logs": "3100"}  # Loki's own; the other is told below
    assert "-httpListenAddr=:8428" in SERVICES["metrics"]["command"]
    return "metrics" in SERVICES[found[1]]["networks"] and ports[found[1]] == found[2]


def test_grafana_is_given_the_sources_that_the_dashboard_asks() -> None:
    sources = {each["uid"]: each for each in read("grafana/datasources/datasources.yaml")["datasources"]}
    assert {uid: each["type"] for uid, each in sources.items()} == {"metrics": "prometheus", "logs": "loki"}
    assert all(is_there(each["url"]) for each in sources.values())
    assert [uid for uid, each in sources.items() if each.get("isDefault")] == ["metrics"]
    dashboard = json.loads((FOLDER / "dashboards/aggregate.json").read_text())
    (variable,) = [each for each in dashboard["templating"]["list"] if each["type"] == "datasource"]
    assert variable["query"] == sources["metrics"]["type"]
    asked = [each["datasource"] for each in dashboard["panels"]]
    asked += [target["datasource"] for each in dashboard["panels"] for target in each["targets"]]
    asked += [each["datasource"] for each in dashboard["templating"]["list"] if each["type"] == "query"]
    assert {(each["type"], each["uid"]) for each in asked} == {("prometheus", f"${{{variable['name']}}}")}


def test_grafana_finds_its_files_where_they_are_mounted() -> None:
    places = mounts("grafana")
    assert places["/etc/grafana/provisioning"] == "./docker/observability/grafana"
    assert {each.name for each in (FOLDER / "grafana").iterdir()} == {"dashboards", "datasources"}, "the names that Grafana looks for"
    (provider,) = read("grafana/dashboards/dashboards.yaml")["providers"]
    assert places[provider["options"]["path"]] == "./docker/observability/dashboards"


def test_the_collector_reads_the_nodes_lines_and_labels_them_by_what_is_in_them() -> None:
    config = read("collector.yaml")
    named = {*config["sources"], *config["transforms"]}
    assert {each for part in ("transforms", "sinks") for one in config[part].values() for each in one["inputs"]} == named
    (source,), (transform,), (sink,) = (config[part].values() for part in ("sources", "transforms", "sinks"))
    (label,) = source["include_labels"]
    name, value = label.split("=")
    assert f'{name}="{value}"' in (ROOT / "docker/Dockerfile.rust").read_text(), "every node's container has it from its image"
    assert is_there(sink["endpoint"])
    fields = {text.strip("{} ") for text in sink["labels"].values()}
    assert fields == set(re.findall(r"\.(\w+) = line\.\1$", transform["source"], re.MULTILINE)) == {"service", "node", "level"}
    places = mounts("collector")
    assert places[SERVICES["collector"]["command"][1]] == "./docker/observability/collector.yaml"
    assert "/var/run/docker.sock" in places


def test_a_nodes_lines_have_the_members_that_are_labels(logged: Any) -> None:
    structlog.get_logger("aggregate.node").info("ready")
    (line,) = logged()
    assert (line["service"], line["node"], line["level"]) == ("svc", "n1", "info")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)")
def test_what_is_scraped_is_the_nodes_admin_port() -> None:
    done = subprocess.run(["promtool", "check", "config", FOLDER / "scrape.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (job,) = read("scrape.yaml")["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert found["names"] == ["node"]
    assert f"AGGREGATE_ADMIN_ADDRESS=0.0.0.0:{found['port']}" in (ROOT / "docker/Dockerfile.rust").read_text()
    assert set(SERVICES["node"]["networks"]) & set(SERVICES["metrics"]["networks"])


def test_the_alerts_are_asked_of_the_metrics() -> None:
    command = dict(each.lstrip("-").split("=", 1) for each in SERVICES["alerts"]["command"] if "=" in each)
    assert all(is_there(command[name]) for name in ("datasource.url", "remoteWrite.url", "remoteRead.url"))
    folder = mounts("alerts")[command["rule"].rpartition("/")[0]]
    assert list((ROOT / folder).glob(command["rule"].rpartition("/")[2])) == [FOLDER / "rules/aggregate.yml"]
