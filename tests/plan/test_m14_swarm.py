"""Milestone 14 of the plan: placement, and the stack file."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from aggregate import ConstraintGenerator, HashRing, TenantId, TenantPlacementConfig, TenantRange

SERVICES = {"nats-1", "nats-2", "nats-3", "aggregate-a-m", "aggregate-n-z", "gateway"}
STACK = Path(__file__).parents[2] / "swarm/stacks/platform.yml"


@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker command here (Debian: apt-get install docker.io)")
def test_t14_1_stack_file_valid() -> None:
    checked = subprocess.run(["docker", "stack", "config", "-c", str(STACK)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert set(yaml.safe_load(checked.stdout)["services"]) == SERVICES


def test_t14_2_hash_ring_distribution() -> None:
    ring = HashRing(["node-a", "node-b", "node-c"], 100)
    tenants = [f"tenant-{number}" for number in range(300)]
    distribution = Counter(ring.get_node(tenant) for tenant in tenants)
    assert set(distribution) == {"node-a", "node-b", "node-c"}
    assert max(distribution.values()) - min(distribution.values()) <= 30, f"Distribution too uneven: {distribution}"


def test_t14_5_ring_rebalance_on_add() -> None:
    ring = HashRing(["node-a", "node-b"], 100)
    tenants = ["tenant-x", *(f"tenant-{number}" for number in range(300))]
    before = {tenant: ring.get_node(tenant) for tenant in tenants}
    ring.add_node("node-c")
    after = {tenant: ring.get_node(tenant) for tenant in tenants}
    assert before["tenant-x"] != after["tenant-x"] or before["tenant-x"] == "node-c"
    assert all(after[tenant] in {before[tenant], "node-c"} for tenant in tenants), "a tenant stays, or goes to the new node"


def test_t14_3_tenant_placement_config() -> None:
    config = TenantPlacementConfig.from_yaml("""
tenants:
  acme-corp: node-a
  globex: node-b
""")
    assert config.get_node(TenantId("acme-corp")) == "node-a"
    assert config.get_node(TenantId("globex")) == "node-b"


def test_t14_4_placement_constraint() -> None:
    generator = ConstraintGenerator()
    constraints = generator.generate(TenantRange("a", "m"))
    assert "node.labels.tenant_range==a-m" in constraints


def test_t14_6_stack_has_services() -> None:
    services = yaml.safe_load(STACK.read_text())["services"]
    assert set(services) == SERVICES
    drained = {name for name, service in services.items() if service["deploy"]["update_config"]["order"] == "start-first"}
    assert drained == {"aggregate-a-m", "aggregate-n-z"}
