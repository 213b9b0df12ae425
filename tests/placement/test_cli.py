"""`aggregate placement`: shown, checked, changed; a dry run says what would move and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aggregate.placement import TenantPlacementConfig
from aggregate.placement.store import PlacementStore
from aggregate.stream import StreamClient
from aggregate.testing.nats import EmbeddedNats
from aggregate.types import AggregateKey, Command
from tests.cli.conftest import Cli, cli

__all__ = ["cli"]

TWO = """
nodes:
  node-a: {grpc: "a:50051"}
  node-b: {grpc: "b:50051"}
tenants: {acme: node-a, globex: node-b}
"""


@pytest.fixture
def two(tmp_path: Path) -> str:
    path = tmp_path / "two.yaml"
    path.write_text(TWO)
    return str(path)


async def test_a_document_is_set_shown_and_set_again(cli: Cli, nats: EmbeddedNats, two: str, tmp_path: Path) -> None:
    none = await cli("placement", "show", "--nats", nats.url)
    assert none.code == 3
    assert "there is none yet" in none.err
    done = await cli("placement", "set", two, "--nats", nats.url)
    assert done.code == 0, done.err
    assert "epoch 1 is written" in done.out
    assert "acme: - -> node-a" in done.out
    shown = await cli("placement", "show", "--nats", nats.url)
    assert shown.out.startswith("# epoch 1, revision 1\n")
    assert TenantPlacementConfig.from_yaml(shown.out).get_node("globex") == "node-b"
    again = await cli("placement", "set", two, "--nats", nats.url)
    assert "nothing to change" in again.out
    kept = tmp_path / "kept.yaml"
    kept.write_text(shown.out.replace("globex: node-b", "globex: node-a"))
    assert "epoch 2 is written" in (await cli("placement", "set", str(kept), "--nats", nats.url)).out
    late = await cli("placement", "set", str(kept), "--nats", nats.url)
    assert late.code == 3
    assert "made of epoch 1, the placement is at 2 by now" in late.err


async def test_a_dry_run_says_what_would_move_and_changes_nothing(
    cli: Cli, nats: EmbeddedNats, log: StreamClient, store: PlacementStore, two: str, tmp_path: Path
) -> None:
    await cli("placement", "set", two, "--nats", nats.url)
    command = Command.new_test_deposit_with_tenant("initech", 1)
    key = AggregateKey(command.tenant_id, command.aggregate_type, command.aggregate_id)
    await log.append(key, b"{}", {"Nats-Msg-Id": "1"}, expected=0)
    three = tmp_path / "three.yaml"
    three.write_text(TWO.replace("tenants:", '  node-c: {grpc: "c:50051", weight: 20}\ntenants:').replace("acme: node-a", "acme: node-c"))
    for arguments in (["diff", str(three)], ["set", str(three), "--dry-run"]):
        told = await cli("placement", *arguments, "--from-log", "--tenant", "umbrella", "--nats", nats.url)
        assert told.code == 0, told.err
        assert "node-c comes" in told.out
        assert "acme: node-a -> node-c" in told.out
        assert "globex" not in told.out
        assert "initech: node-" in told.out
        assert "umbrella: node-" in told.out
        assert "it would be epoch 2; nothing is written" in told.out
    machine = json.loads((await cli("placement", "diff", str(three), "--nats", nats.url, "--json")).out)
    assert machine["moves"] == [{"tenant_id": "acme", "from": "node-a", "to": "node-c"}]
    assert 0.8 < float(machine["share"]) < 1
    stored = await store.load()
    assert stored is not None
    assert stored.config.epoch == 1


async def test_every_mistake_is_a_line_and_nothing_is_written(cli: Cli, nats: EmbeddedNats, store: PlacementStore, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("nodes: {a: {}}\ntenants:\n  acme: b\n  globex: c\n")
    for arguments in (["validate", str(path)], ["set", str(path), "--nats", nats.url]):
        ended = await cli("placement", *arguments)
        assert ended.code == 3
        assert [line.partition(": unknown")[0] for line in ended.err.splitlines()] == [
            f"{path}:3: tenants.acme",
            f"{path}:4: tenants.globex",
        ]
    assert await store.load() is None


async def test_it_tells_where_a_tenant_is(cli: Cli, two: str) -> None:
    ended = await cli("placement", "show", "acme", "globex", "--file", two)
    assert ended.out == "acme  node-a  pin\nglobex  node-b  pin\n"
    ended = await cli("placement", "show", "initech", "--file", two, "--json")
    assert json.loads(ended.out) == {"tenant_id": "initech", "node": TenantPlacementConfig.from_yaml(TWO).get_node("initech"), "by": "ring"}


async def test_routes_and_constraints_come_from_a_file_or_the_bucket(cli: Cli, nats: EmbeddedNats, tmp_path: Path) -> None:
    path = tmp_path / "ranges.yaml"
    path.write_text('nodes: {node-a: {grpc: "a:50051", labels: {tenant_range: a-z}}}\ntenant_ranges: {a-z: }\n')
    assert (await cli("placement", "constraints", "--file", str(path))).out == "a-z  --constraint node.labels.tenant_range==a-z\n"
    offline = await cli("placement", "routes", "nginx", "--file", str(path))
    assert '"~*^[a-z]" aggregate_node_node-a;' in offline.out
    await cli("placement", "set", str(path), "--nats", nats.url)
    stored = await cli("placement", "routes", "traefik", "--nats", nats.url, "--from-log")
    assert json.loads(stored.out)["http"]["services"]["aggregate_node_node-a"]
    assert json.loads((await cli("placement", "constraints", "--nats", nats.url, "--json")).out) == {
        "a-z": ["node.labels.tenant_range==a-z"]
    }


async def test_without_a_server_it_says_so(cli: Cli) -> None:
    ended = await cli("placement", "show", "--nats", "nats://127.0.0.1:1")
    assert ended.code == 4
    assert "not connected to NATS" in ended.err
