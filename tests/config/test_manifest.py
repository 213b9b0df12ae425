"""The manifest: its shape, the programs it names, and what is said when something is wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from aggregate.config import AggregateManifest, ProgramSource, Projection
from aggregate.config.manifest import MAX_SOURCE_BYTES
from aggregate.errors import ConfigError
from aggregate.types import AggregateType, Document

FULL = """\
aggregates:
  Account:
    program: bank.agl
    initial: {balance: 0.10, tags: [a, null, true]}
    snapshot_threshold: 50
    record_commands: false
    record_refusals: true
    gas: {decide: 1000, apply: 500}
    projection:
      where: balance > 0
      fields: [balance, owner.country]
      indexes: [balance]
  Order:
    decide: order-decide.agl
    apply: ./order-apply.agl
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("bank.agl", "order-decide.agl", "order-apply.agl"):
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def write(folder: Path, text: str, name: str = "manifest.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        AggregateManifest.load(path)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_reads_all_that_a_manifest_may_say(folder: Path) -> None:
    manifest = AggregateManifest.load(write(folder, FULL))
    account, order = (manifest.aggregates[AggregateType(name)] for name in ("Account", "Order"))
    assert account.type == "Account"
    assert account.sources == (ProgramSource(str(folder / "bank.agl"), "# bank.agl\n"),)
    assert account.initial == Document.of({"balance": Decimal("0.1"), "tags": ["a", None, True]})
    assert (account.snapshot_threshold, account.record_commands, account.record_refusals) == (50, False, True)
    assert (account.gas_decide, account.gas_apply) == (1000, 500)
    assert account.projection == Projection("balance > 0", ("balance", "owner.country"), ("balance",))
    assert [source.text for source in order.sources] == ["# order-decide.agl\n", "# order-apply.agl\n"]
    assert (order.initial.value, order.snapshot_threshold, order.record_commands, order.projection) == (None, None, True, None)


def test_json_and_toml_are_as_good(folder: Path) -> None:
    values = {"aggregates": {"Account": {"program": "bank.agl", "initial": {"rate": 1.5}, "projection": {"indexes": ["a.b"]}}}}
    from_json = AggregateManifest.load(write(folder, json.dumps(values), "m.json"))
    from_toml = AggregateManifest.load(
        write(folder, '[aggregates.Account]\nprogram = "bank.agl"\ninitial = {rate = 1.5}\nprojection = {indexes = ["a.b"]}\n', "m.toml")
    )
    from_yaml = AggregateManifest.load(write(folder, json.dumps(values), "m.yaml"))
    assert from_json == from_toml == from_yaml


def test_fractions_keep_all_their_digits(folder: Path) -> None:
    exact = "0.1234567890123456789012345678901234"
    for name, text in {
        "m.yaml": f"aggregates:\n  A:\n    program: bank.agl\n    initial: {exact}\n",
        "m.json": f'{{"aggregates": {{"A": {{"program": "bank.agl", "initial": {exact}}}}}}}',
        "m.toml": f'[aggregates.A]\nprogram = "bank.agl"\ninitial = {exact}\n',
    }.items():
        assert AggregateManifest.load(write(folder, text, name)).aggregates[AggregateType("A")].initial.text == exact.encode()


def test_all_mistakes_of_all_types_are_reported_at_once(folder: Path) -> None:
    (folder / "large.agl").write_text("#" * (MAX_SOURCE_BYTES + 1))
    (folder / "latin.agl").write_bytes(b"# caf\xe9\n")
    path = write(
        folder,
        "aggregates:\n"
        "  Account:\n    program: gone.agl\n"
        "  Large:\n    program: large.agl\n"
        "  Latin:\n    decide: latin.agl\n    apply: .\n"
        "  None: {}\n"
        "  Both:\n    program: bank.agl\n    apply: bank.agl\n"
        "  Half:\n    decide: bank.agl\n"
        "  Bad:\n    program: bank.agl\n    snapshot_threshold: 0\n    record_commands: yes\n    projection: {index: [a]}\n"
        "  1st:\n    program: bank.agl\n"
        "  Paths:\n    program: bank.agl\n    projection:\n      indexes: [a..b, c, c]\n"
        "  Gas:\n    program: bank.agl\n    gas: {decide: 99999999, aply: 1}\n",
    )
    found = mistakes(path)
    either = "expected either `program`, or `decide` and `apply`"
    for expected in (
        f"{path}:3: aggregates.Account.program: {folder}/gone.agl cannot be read: No such file or directory",
        f"{path}:5: aggregates.Large.program: {folder}/large.agl is larger than 65536 bytes",
        f"{path}:7: aggregates.Latin.decide: {folder}/latin.agl is not UTF-8 (byte 5)",
        f"{path}:8: aggregates.Latin.apply: {folder} cannot be read: Is a directory",
        f"{path}:9: aggregates.None: {either}",
        f"{path}:10: aggregates.Both: {either}",
        f"{path}:13: aggregates.Half: {either}",
        f"{path}:17: aggregates.Bad.snapshot_threshold: expected greater than or equal to 1, got 0",
        f"{path}:18: aggregates.Bad.record_commands: expected a valid boolean, got 'yes'",
        f"{path}:19: aggregates.Bad.projection.index: unknown key 'index'; did you mean 'indexes'?",
        f"{path}:25: aggregates.Paths.projection.indexes.0: expected a path like balance or owner.country, got 'a..b'",
        f"{path}:28: aggregates.Gas.gas.decide: expected less than or equal to 10000000, got 99999999",
        f"{path}:28: aggregates.Gas.gas.aply: unknown key 'aply'; did you mean 'apply'?",
    ):
        assert expected in found
    assert any(mistake.startswith(f"{path}:20: aggregates.1st: ") for mistake in found)
    assert len(found) == 14


def test_a_path_that_stands_twice_is_a_mistake(folder: Path) -> None:
    path = write(folder, "aggregates:\n  A:\n    program: bank.agl\n    projection: {indexes: [c, d, c]}\n")
    assert mistakes(path) == [f"{path}:4: aggregates.A.projection.indexes: c stands twice"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "aggregates: is required"),
        ("aggregates: {}\n", "aggregates: Dictionary should have at least 1 item"),
        ("aggregates: []\n", "aggregates: expected a valid dictionary"),
        ("aggregates:\n  A: bank.agl\n", "aggregates.A: expected a valid dictionary"),
        ("types: {}\n", "unknown key 'types'; known are aggregates"),
    ],
)
def test_another_shape_is_refused(folder: Path, text: str, message: str) -> None:
    assert any(message in mistake for mistake in mistakes(write(folder, text)))


def test_an_initial_state_that_is_no_json_is_refused(folder: Path) -> None:
    path = write(folder, '[aggregates.A]\nprogram = "bank.agl"\ninitial = 2026-01-31\n', "m.toml")
    [found] = mistakes(path)
    assert found.startswith(f"{path}:3: aggregates.A.initial: date is no JSON value")


def test_a_manifest_is_also_made_of_texts() -> None:
    manifest = AggregateManifest.of_sources({"A": "one", "B": ("two", "three")}, snapshot_threshold=1)
    assert [source.text for each in manifest.aggregates.values() for source in each.sources] == ["one", "two", "three"]
    assert all(each.snapshot_threshold == 1 for each in manifest.aggregates.values())


def test_a_manifest_cannot_be_changed() -> None:
    manifest = AggregateManifest.of_sources({"A": "one"})
    with pytest.raises(TypeError):
        manifest.aggregates[AggregateType("B")] = manifest.aggregates[AggregateType("A")]  # type: ignore[index]


def test_aliases_are_refused_whatever_they_stand_for(folder: Path) -> None:
    endless = write(folder, "aggregates: &a\n  A:\n    program: bank.agl\n    initial: *a\n")
    assert mistakes(endless) == [f"{endless}:4: aggregates.A.initial is an alias; write the value out"]
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
    bomb = write(folder, "\n".join([*lines, "aggregates:\n  A:\n    program: bank.agl\n    initial: *a11\n"]))
    assert all("is an alias" in mistake for mistake in mistakes(bomb))
