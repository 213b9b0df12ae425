"""The gateway's watcher, what of it is a function: routes with addresses in the place of names."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from aggregate.placement import TenantPlacementConfig
from aggregate.placement.routes import render_nginx

from .engine import ROOT


@pytest.fixture(scope="module")
def watcher() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watcher", ROOT / "docker/gateway/watcher.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def routes() -> str:
    return render_nginx(TenantPlacementConfig.load(ROOT / "swarm/config/placement.yaml"))


def servers(text: str, group: str) -> list[str]:
    inside = text.partition(f"upstream {group} {{")[2].partition("}")[0]
    return [line.strip() for line in inside.splitlines() if line.strip().startswith("server ")]


def test_every_address_of_a_name_is_a_server_in_a_fixed_order(watcher: ModuleType, routes: str) -> None:
    known = {"aggregate-a-m": ["10.0.0.7", "10.0.0.3"], "aggregate-n-z": ["10.0.0.5"]}
    found = watcher.with_addresses(routes, lambda host: known[host])
    assert servers(found, "aggregate_node_aggregate-a-m") == [
        "server 10.0.0.3:50051;",
        "server 10.0.0.7:50051;",
        "server 10.0.0.5:50051 backup;",
    ]


def test_a_name_without_an_address_is_down_and_the_rest_stays(watcher: ModuleType, routes: str) -> None:
    found = watcher.with_addresses(routes, lambda host: ["10.0.0.5"] if host == "aggregate-n-z" else [])
    own, spare = servers(found, "aggregate_node_aggregate-a-m")
    assert own.startswith("server 127.0.0.1:1 down;")
    assert spare == "server 10.0.0.5:50051 backup;"


def test_a_node_that_is_away_is_passed_over(watcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def open_url(request: object, timeout: float) -> object:
        asked.append(request.full_url)  # type: ignore[attr-defined]
        raise OSError("nobody there")

    monkeypatch.setattr(watcher.urllib.request, "urlopen", open_url)
    nodes = watcher.Nodes(["http://one:1", "http://two:2/"], "secret")
    assert nodes.routes() is None
    assert asked == ["http://one:1/admin/routes/nginx", "http://two:2/admin/routes/nginx"]
