"""The placement document: what it means, and everything that can be wrong with it, told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aggregate import ConstraintGenerator, HashRing, TenantPlacementConfig, TenantRange
from aggregate.errors import ConfigError, ValidationError

WHOLE = """
epoch: 7
nodes:
  node-a: {grpc: "node-a:50051", admin: "node-a:8080", labels: {tenant_range: a-m}}
  node-b: {grpc: "node-b:50051", labels: {tenant_range: n-z}, weight: 2}
  node-c: {grpc: "node-c:50051", labels: {tenant_range: n-z}}
tenants:
  acme: node-b
  42nd-street: n-z
tenant_ranges:
  a-m:
  n-z:
ring: {vnodes: 64}
"""


@pytest.fixture
def whole() -> TenantPlacementConfig:
    return TenantPlacementConfig.from_yaml(WHOLE)


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        TenantPlacementConfig.from_yaml(text)
    return [str(each) for each in raised.value.mistakes]


def test_a_pin_goes_before_a_range_and_a_range_before_the_ring(whole: TenantPlacementConfig) -> None:
    assert (whole.get_node("acme"), whole.why("acme")) == ("node-b", "pin")
    assert (whole.get_node("apple"), whole.why("apple")) == ("node-a", "range a-m")
    assert whole.get_node("Mango") == "node-a", "the first character counts in lower case"
    ring = HashRing(["node-a", "node-b", "node-c"], 64, {"node-b": 2})
    for tenant in ("0815", "_x", "-x", ""):
        assert (whole.get_node(tenant), whole.why(tenant)) == (ring.get_node(tenant), "ring")


def test_nodes_of_one_range_share_it_by_their_weights(whole: TenantPlacementConfig) -> None:
    within = HashRing(["node-b", "node-c"], 64, {"node-b": 2})
    tenants = [f"tenant-{number}" for number in range(50)]
    assert [whole.get_node(tenant) for tenant in tenants] == [within.get_node(tenant) for tenant in tenants]
    assert {whole.get_node(tenant) for tenant in tenants} == {"node-b", "node-c"}


def test_a_tenant_can_be_pinned_to_a_range(whole: TenantPlacementConfig) -> None:
    assert whole.get_node("42nd-street") in {"node-b", "node-c"}
    assert whole.why("42nd-street") == "pin to range n-z"


def test_a_document_of_pins_alone_is_enough() -> None:
    config = TenantPlacementConfig.from_yaml("tenants: {acme: node-a, globex: node-b}")
    assert list(config.nodes) == ["node-a", "node-b"]
    assert config.nodes["node-a"].grpc is None
    assert config.get_node("globex") == "node-b"
    assert config.get_node("initech") == HashRing(["node-a", "node-b"], 128).get_node("initech")


def test_without_nodes_nobody_has_a_node() -> None:
    config = TenantPlacementConfig.from_yaml("")
    assert config.get_node("acme") is None
    assert config.get_node("") is None


def test_a_node_of_weight_0_takes_what_is_meant_for_it_alone() -> None:
    config = TenantPlacementConfig.from_yaml("nodes: {a: {weight: 0}, b: {}}\ntenants: {acme: a}\ntenant_ranges: {x-z: a}")
    assert (config.get_node("acme"), config.get_node("xerox")) == ("a", "a")
    assert {config.get_node(f"tenant-{number}") for number in range(40)} == {"b"}


def test_yaml_json_and_the_stored_form_say_the_same(whole: TenantPlacementConfig) -> None:
    stored = TenantPlacementConfig.from_json(whole.to_json())
    assert stored == whole
    assert stored.to_json() == whole.to_json()
    assert stored.epoch == 7
    assert b'"v":1' in whole.to_json()


def test_a_change_is_the_next_epoch_and_is_checked(whole: TenantPlacementConfig) -> None:
    after = whole.changed(tenants={"acme": "node-a"})
    assert (after.epoch, after.get_node("acme"), whole.get_node("acme")) == (8, "node-a", "node-b")
    with pytest.raises(ConfigError, match="unknown node 'node-x'"):
        whole.changed(tenants={"acme": "node-x"})


def test_a_file_is_told_by_name_and_line(tmp_path: Path) -> None:
    path = tmp_path / "placement.yaml"
    path.write_text("nodes:\n  a: {}\ntenants:\n  acme: aa\n")
    with pytest.raises(ConfigError) as raised:
        TenantPlacementConfig.load(path)
    assert [str(each) for each in raised.value.mistakes] == [f"{path}:4: tenants.acme: unknown node 'aa'; did you mean 'a'?"]


def test_everything_wrong_is_told_at_once() -> None:
    found = mistakes("""
nodes:
  node-a: {grpc: "one:50051", labels: {tenant_range: a-m}, weight: -1}
  node-b: {grpc: "two:50051", labels: {tenant_range: q-z}}
  node-c: {grpc: "two:50051", port: 5}
  node-d: {labels: {tenant_range: zz}}
tenants:
  acme: node-bb
  globex: node-d
  "not a tenant": node-b
tenant_ranges:
  b-m: node-b
  g-p:
  m-a: node-b
  t-z: [node-b, node-x]
""")
    for words in [
        "placement.yaml:3: nodes.node-a.weight: expected greater than or equal to 0, got -1",
        "placement.yaml:5: nodes.node-c.port: unknown key 'port'",
        "placement.yaml:10: tenants.not a tenant: ",
        "placement.yaml:8: tenants.acme: unknown node 'node-bb'; did you mean 'node-b'?",
        "placement.yaml:9: tenants.globex: node-d has no grpc address",
        "placement.yaml:13: tenant_ranges.g-p: overlaps b-m: a tenant that begins with 'g' would be in both",
        "placement.yaml:13: tenant_ranges.g-p: no node is labelled `tenant_range: g-p`",
        "placement.yaml:14: tenant_ranges.m-a: the range m-a is empty",
        "placement.yaml:15: tenant_ranges.t-z.1: unknown node 'node-x'",
        "placement.yaml:4: nodes.node-b.labels.tenant_range: no such range in tenant_ranges",
        "placement.yaml:6: nodes.node-d.labels.tenant_range: a range is written like a-m or 0-9",
    ]:
        assert any(each.startswith(words) for each in found), (words, found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nodes:\n  a: {}\n  a: {}\n", "nodes.a stands twice, first in line 2"),
        ("tenants: {acme: a, acme: b}", "tenants.acme stands twice"),
        ("nodes: {a: {grpc: 'h:1'}, b: {grpc: 'h:1'}}", "nodes.b.grpc: h:1 is the address of a too"),
        ("nodes: {a: {grpc: 'h:0'}}", "nodes.a.grpc: port 0 is no port"),
        ("nodes: {a: {grpc: h}}", "nodes.a.grpc: expected host:port, got 'h'"),
        ("nodes: {a: {weight: 0}}", "every node has weight 0"),
        ("nodes: {a: {weight: 1000}}\nring: {vnodes: 10000}", "more than 1000000 points"),
        ("nodes: {a-m: {}}\ntenants: {acme: a-m}\ntenant_ranges: {a-m: a-m}", "a-m is both a node and a range"),
        ("tenant_ranges: {a-m: a, A-M: b}", "is the same range as a-m"),
        ("tenant_ranges: {a-m: []}", "names no node"),
        ("tenant_ranges: {a-m: }", "no node is labelled `tenant_range: a-m`"),
        ("tenant_ranges: {abc: a}", "a range is written like a-m or 0-9, got 'abc'"),
        ("v: 2", "v: expected 1, got 2"),
        ("epoch: -1", "epoch: "),
        ("placement: {}", "unknown key 'placement'"),
        ("tenants: [a]", "tenants: "),
        ("nodes: {'a b': {}}", "nodes.a b: "),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, words: str) -> None:
    found = mistakes(text)
    assert any(words in each for each in found), found


@pytest.mark.parametrize("text", ["[]", "{", "\ufeff{", '{"tenants":{"a":"b","a":"c"}}', '{"epoch":1e400}'])
def test_json_that_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"placement\.json"):
        TenantPlacementConfig.from_json(text)


def test_a_range_holds_first_characters() -> None:
    letters = TenantRange("a", "M")
    assert str(letters) == "a-m"
    assert "acme" in letters
    assert "Mango" in letters
    assert "nile" not in letters
    assert "" not in letters
    assert TenantRange.parse("--9") == TenantRange("-", "9")
    for start, end in [("m", "a"), ("", "m"), ("ab", "m"), ("a", "~"), ("ä", "z")]:
        with pytest.raises(ValidationError, match="range"):
            TenantRange(start, end)


def test_constraints_follow_the_ranges(whole: TenantPlacementConfig) -> None:
    generator = ConstraintGenerator()
    assert generator.for_placement(whole) == {"a-m": ["node.labels.tenant_range==a-m"], "n-z": ["node.labels.tenant_range==n-z"]}
    assert generator.arguments(TenantRange("a", "m")) == ["--constraint", "node.labels.tenant_range==a-m"]
    assert generator.changes([TenantRange("a", "m")], [TenantRange("a", "f")]) == [
        "--constraint-rm",
        "node.labels.tenant_range==a-m",
        "--constraint-add",
        "node.labels.tenant_range==a-f",
    ]
    assert generator.changes([TenantRange("a", "m")], [TenantRange("a", "m")]) == []


def test_names_that_are_no_tenants_have_no_node(whole: TenantPlacementConfig) -> None:
    bad: Any = "not a tenant"
    with pytest.raises(ValidationError, match="x-tenant-id"):
        whole.get_node(bad)
