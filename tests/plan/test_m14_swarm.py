"""Milestone 14 of the plan: placement. T14.1 and T14.6 are of the stack file."""

from __future__ import annotations

from collections import Counter

from aggregate import ConstraintGenerator, HashRing, TenantId, TenantPlacementConfig, TenantRange


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
