"""Routes for gateways: nginx takes what is rendered, and it says what the placement says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from aggregate.placement import TenantPlacementConfig, TenantRange
from aggregate.placement.routes import _class, render_nginx, render_traefik
from aggregate.types import TenantId

DOCUMENT = TenantPlacementConfig.from_yaml("""
epoch: 4
nodes:
  node-a: {grpc: "127.0.0.1:6001", labels: {tenant_range: a-m}}
  node-b: {grpc: "127.0.0.1:6002", labels: {tenant_range: n-z}, weight: 2}
  node-c: {grpc: "127.0.0.1:6003", labels: {tenant_range: n-z}, weight: 0}
  node-d: {grpc: "127.0.0.1:6004", weight: 0}
tenants: {acme: node-b, Acme: node-d, default: node-a, volatile: node-d}
tenant_ranges: {a-m: , n-z: , --9: node-d}
""")
LONG = TenantId("x" * 64)


def test_each_tenant_with_a_route_is_led_to_its_node() -> None:
    text = render_nginx(DOCUMENT, [TenantId("zeta"), TenantId("_1"), LONG, TenantId("")])
    pairs = dict(re.findall(r'^    "([^"]+)" (\S+);$', text, re.MULTILINE))
    assert pairs == {
        "Acme": "aggregate_node_node-d",  # one of two that nginx cannot tell apart
        "_1": f"aggregate_node_{DOCUMENT.get_node('_1')}",
        r"\default": "aggregate_node_node-a",
        r"\volatile": "aggregate_node_node-d",
        LONG: f"aggregate_node_{DOCUMENT.get_node(LONG)}",
        "zeta": f"aggregate_node_{DOCUMENT.get_node('zeta')}",
        "~*^[-0-9]": "aggregate_node_node-d",
        "~*^[a-m]": "aggregate_node_node-a",
        "~*^[n-z]": "aggregate_range_n_z",
    }
    assert "listen 50051 http2;" in text
    assert "epoch 4" in text


def test_the_server_block_can_be_left_to_others() -> None:
    assert "server {" not in render_nginx(DOCUMENT, listen=0)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed (Debian package nginx)")
@pytest.mark.parametrize("document", [DOCUMENT, TenantPlacementConfig.from_yaml(""), TenantPlacementConfig.from_yaml("tenants: {a: b}")])
def test_nginx_takes_what_is_rendered(tmp_path: Path, document: TenantPlacementConfig) -> None:
    (tmp_path / "routes.conf").write_text(render_nginx(document, [TenantId("zeta"), LONG]))
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include {tmp_path}/routes.conf; }}")
    done = subprocess.run(["nginx", "-t", "-p", str(tmp_path), "-c", str(conf)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a-m", "[a-m]"),
        ("a-a", "[a]"),
        ("0-9", "[0-9]"),
        ("--9", "[-0-9]"),
        ("--_", "[-0-9_]"),
        ("8-b", "[8-9_a-b]"),
        ("--z", "[-0-9_a-z]"),
    ],
)
def test_a_range_is_a_class_of_characters(text: str, expected: str) -> None:
    each = TenantRange.parse(text)
    assert _class(each) == expected
    pattern = re.compile(f"^{expected}", re.IGNORECASE)
    for character in "-0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        assert (pattern.match(character) is not None) == (character in each), character


def test_traefik_gets_routers_and_services() -> None:
    http = json.loads(render_traefik(DOCUMENT, [TenantId("zeta")]))["http"]
    rules = {name: (router["rule"], router["service"], router["priority"]) for name, router in http["routers"].items()}
    assert rules["aggregate-tenants-node-d"] == (
        "Header(`x-tenant-id`, `Acme`) || Header(`x-tenant-id`, `volatile`)",
        "aggregate_node_node-d",
        300,
    )
    assert rules["aggregate-range-n-z"] == ("HeaderRegexp(`x-tenant-id`, `(?i)^[n-z]`)", "aggregate_range_n_z", 200)
    assert rules["aggregate-any"] == ("PathPrefix(`/`)", "aggregate_any", 100)
    assert {router["service"] for router in http["routers"].values()} <= set(http["services"])
    assert http["services"]["aggregate_range_n_z"]["loadBalancer"]["servers"] == [
        {"url": "h2c://127.0.0.1:6002"},
        {"url": "h2c://127.0.0.1:6003"},
    ]
