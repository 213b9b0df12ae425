"""The ring: both twins, the same nodes for the same tenants; how even it is, and how little moves."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
from collections import Counter
from importlib import import_module
from math import erf, sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate.engine.pure import ring as pure
from aggregate.engine.ring import HashRing

VECTORS = Path(__file__).parent / "ring_vectors.json"
CASES: list[dict[str, Any]] = [
    {"vnodes": 100, "weights": {"node-a": 1, "node-b": 1, "node-c": 1}},
    {"vnodes": 1, "weights": {"a": 1}},
    {"vnodes": 16, "weights": {"small": 1, "large": 5, "resting": 0}},
    {"vnodes": 7, "weights": {"knoten-ü": 2, "节点": 3, "": 1}},
    {"vnodes": 8, "weights": {}},
]
NAMES = ["", "~", "acme", "acme-corp", "globex", "tenant-x", "A", "a", "ünïcode", "x" * 64, *(f"tenant-{number}" for number in range(90))]


def _native() -> Any:
    try:
        return import_module("aggregate.engine._native").HashRing
    except ImportError:
        return None


native = _native()
needs_native = pytest.mark.skipif(native is None, reason="not built")
TWINS = [pytest.param(pure.HashRing, id="pure"), pytest.param(native, id="native", marks=needs_native)]


def outcome(function: Any, *arguments: Any) -> Any:
    """What a call gives: its value, or the class and words of what it raises."""
    try:
        return function(*arguments)
    except ValueError as error:
        return (type(error).__name__, str(error) if type(error) is ValueError else "")


def build(twin: Any, case: dict[str, Any]) -> Any:
    return twin(list(case["weights"]), case["vnodes"], case["weights"])


@pytest.mark.parametrize("twin", TWINS)
def test_tenants_fall_where_the_vectors_say(twin: Any) -> None:
    """They must never move with a new version: nodes of both versions would disagree. AGGREGATE_REGENERATE=1 writes the file."""
    found = [{**case, "nodes": {name: build(twin, case).get_node(name) for name in NAMES}} for case in CASES]
    if os.environ.get("AGGREGATE_REGENERATE"):
        VECTORS.write_text(json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(VECTORS.read_text())


@pytest.mark.parametrize(
    ("length", "hash_"), [(0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD), (8, 0x93F5F5799A932462), (15, 0xA129CA6149BE45E5)]
)
def test_the_hash_is_the_one_of_the_paper(length: int, hash_: int) -> None:
    assert pure.siphash(bytes(range(length)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)) == hash_


NODES = st.dictionaries(st.text(max_size=6), st.integers(-1, 4), max_size=5)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.text(max_size=2), st.integers(0, 3)), max_size=6)


@needs_native
@settings(deadline=None, max_examples=60)
@given(NODES, st.integers(-1, 24), STEPS, st.lists(st.text(max_size=8), max_size=20))
def test_both_twins_do_the_same(weights: dict[str, int], vnodes: int, steps: list[tuple[str, str, int]], tenants: list[str]) -> None:
    rings = [outcome(twin, list(weights), vnodes, weights) for twin in (native, pure.HashRing)]
    if isinstance(rings[0], tuple) or isinstance(rings[1], tuple):
        assert rings[0] == rings[1]
        return
    for step, node, weight in steps:
        done = [outcome(ring.add_node, node, weight) if step == "add" else outcome(ring.remove_node, node) for ring in rings]
        assert done[0] == done[1]
    ours, theirs = rings
    assert ours.nodes == theirs.nodes
    assert ours.vnodes == theirs.vnodes
    assert [ours.weight(node) for node in ours.nodes] == [theirs.weight(node) for node in theirs.nodes]
    assert outcome(ours.weight, "no such") == outcome(theirs.weight, "no such")
    assert [outcome(ours.get_node, tenant) for tenant in tenants] == [outcome(theirs.get_node, tenant) for tenant in tenants]


@pytest.mark.parametrize("twin", TWINS)
def test_what_is_out_of_range_is_refused(twin: Any) -> None:
    for arguments, words in [
        ((["a", "a"],), "on the ring already"),
        ((["a"], 0), "virtual nodes are 1 to 10000, got 0"),
        ((["a"], 10_001), "virtual nodes are 1 to 10000"),
        ((["a"], 8, {"a": 1001}), "a weight is 0 to 1000, got 1001"),
        ((["a"], 10_000, {"a": 101}), "more than 1000000 points"),
    ]:
        with pytest.raises(ValueError, match=words):
            twin(*arguments)
    with pytest.raises(ValueError, match="no node 'b'"):
        twin(["a"]).remove_node("b")
    with pytest.raises(UnicodeEncodeError):
        twin(["a"]).get_node("\ud800")


@pytest.mark.parametrize("twin", TWINS)
def test_the_order_of_arrival_makes_no_difference(twin: Any) -> None:
    ring = twin(["c", "a"], 20)
    ring.add_node("b", 2)
    ring.add_node("d")
    ring.remove_node("d")
    other = twin(["a", "b", "c"], 20, {"b": 2})
    assert [ring.get_node(name) for name in NAMES] == [other.get_node(name) for name in NAMES]


def test_a_heavier_node_gets_more() -> None:
    ring = HashRing(["a", "b", "c"], 200, {"a": 2, "c": 0})
    counts = Counter(ring.get_node(f"tenant-{number}") for number in range(9000))
    assert counts["c"] == 0
    assert counts["a"] / counts["b"] == pytest.approx(2, rel=0.2)


def test_the_load_is_as_even_as_theory_says(capsys: pytest.CaptureFixture[str], record_property: Any) -> None:
    """Over 1,000 random sets: the fullest node beside the mean, and what points thrown at random on a circle would lead to."""
    chosen = random.Random(8)
    measured: dict[int, list[float]] = {}
    expected: dict[int, list[float]] = {}
    for _ in range(1000):
        count, vnodes, tenants = chosen.choice([2, 3, 5, 8, 13]), chosen.choice([64, 128, 256]), chosen.choice([500, 1000, 2000])
        ring = HashRing([f"node-{chosen.getrandbits(40):x}" for _ in range(count)], vnodes)
        counts = Counter(ring.get_node(f"{chosen.getrandbits(60):x}") for _ in range(tenants))
        measured.setdefault(count, []).append(max(counts.values()) * count / tenants)
        expected.setdefault(count, []).append(expected_peak(count, vnodes, tenants))
    lines = ["nodes  sets  max/mean  theory  worst"]
    for count, peaks in sorted(measured.items()):
        ours, theory = statistics.fmean(peaks), statistics.fmean(expected[count])
        lines.append(f"{count:>5}  {len(peaks):>4}  {ours:>8.3f}  {theory:>6.3f}  {max(peaks):>5.3f}")
        record_property(f"max/mean of {count} nodes", f"{ours:.3f}, theory {theory:.3f}, worst {max(peaks):.3f}")
        assert ours - 1 == pytest.approx(theory - 1, rel=0.15)
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def test_a_new_node_takes_its_share_and_nothing_else_moves() -> None:
    chosen = random.Random(9)
    shares: dict[int, list[float]] = {}
    for _ in range(1000):
        count, tenants = chosen.choice([3, 4, 6, 10]), [f"{chosen.getrandbits(60):x}" for _ in range(2000)]
        ring = HashRing([f"node-{number}-{chosen.getrandbits(20):x}" for number in range(count - 1)], 512)
        before = [ring.get_node(tenant) for tenant in tenants]
        ring.add_node("the-new-one")
        moved = [new for old, new in zip(before, map(ring.get_node, tenants), strict=True) if old != new]
        assert set(moved) <= {"the-new-one"}
        assert len(moved) / len(tenants) <= 1 / count + 0.05
        shares.setdefault(count, []).append(len(moved) / len(tenants))
    for count, each in shares.items():
        assert statistics.fmean(each) == pytest.approx(1 / count, rel=0.03)


@pytest.mark.parametrize("engine", ["pure", "auto"])
def test_the_switch_follows_the_engine(engine: str) -> None:
    text = "from aggregate.engine import ring; print(ring.implementation)"
    environment = {**os.environ, "AGGREGATE_ENGINE": engine}
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("pure" if engine == "pure" or native is None else "native")


def expected_peak(nodes: int, vnodes: int, tenants: int) -> float:
    """The expected max/mean of loads: a node's share of a circle cut at random has the relative variance 1/vnodes, the tenants that
    fall on it add nodes/tenants, and the greatest of n such loads lies e(n) standard deviations above the mean.
    """
    return 1 + greatest_of(nodes) * sqrt(1 / vnodes + nodes / tenants)


def greatest_of(count: int) -> float:
    """The expected greatest of `count` standard normal numbers: the integral of x d(Phi(x)^count)."""
    steps = [-8 + number / 500 for number in range(8001)]
    below = [((1 + erf(step / sqrt(2))) / 2) ** count for step in steps]
    return sum((right - left) * step for left, right, step in zip(below, below[1:], steps, strict=False))


def test_the_theory_knows_the_greatest_of_two() -> None:
    assert greatest_of(2) == pytest.approx(0.5642, abs=0.01)
    assert greatest_of(3) == pytest.approx(0.8463, abs=0.01)
