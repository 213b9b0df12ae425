"""`aggregate replay` on a real nats-server: what it says, how it ends, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregate.config.manifest import BANK
from aggregate.errors import Rejected
from aggregate.stream.codec import decode_message, encode_body
from aggregate.testing import Environment
from aggregate.testing.nats import EmbeddedNats
from aggregate.testing.ports import free_port
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, TenantId

from .conftest import Cli
from .processes import finished, spawn

OPEN = {"type": "open_account", "initial_balance": 100}
BANK_SOURCE = BANK.with_name("bank.agl").read_text()
STEPS: tuple[dict[str, Any], ...] = (OPEN, {"type": "withdraw", "amount": 30}, {"type": "withdraw", "amount": 1000})


@pytest.fixture
async def environment() -> AsyncIterator[Environment]:
    async with Environment() as entered:
        yield entered


@pytest.fixture
async def accounts(environment: Environment) -> list[AggregateId]:
    """Two of tenant `a`, one of `b`; each opened, withdrawn from, and refused once."""
    handler = await environment.handler(sources={"Account": BANK_SOURCE})
    accounts = [AggregateId.new_v7() for _ in range(3)]
    for account, tenant in zip(accounts, ("a", "a", "b"), strict=True):
        for step in STEPS:
            try:
                await handler.submit(Command.new_test(step, tenant, aggregate_id=account))
            except Rejected:
                continue
    await (await environment.storage()).flush()
    return accounts


def env_of(environment: Environment, **more: str) -> dict[str, str]:
    return {"AGGREGATE_NATS_URL": environment.nats.url, "AGGREGATE_STORAGE_PATH": str(environment.folder / "storage"), **more}


async def test_a_sound_log_is_all_equal_snapshots_of_a_running_node_included(
    environment: Environment, accounts: list[AggregateId], tmp_path: Path
) -> None:
    code, out, err = await finished("replay", "--all", cwd=tmp_path, **env_of(environment))
    assert (code, err) == (0, "")
    assert out.splitlines() == ["3 aggregates: 9 commits folded, 9 decided again, 3 snapshots compared", "all equal"]
    code, out, _ = await finished("replay", "--tenant", "a", "--json", cwd=tmp_path, **env_of(environment))
    *lines, summary = map(json.loads, out.splitlines())
    assert (code, {line["aggregate_id"] for line in lines}) == (0, set(accounts[:2]))
    assert {(line["tenant_id"], line["version"], line["snapshot"], len(line["findings"])) for line in lines} == {("a", 2, 2, 0)}
    assert summary == {"summary": {"aggregates": 2, "commits": 6, "decided": 6, "snapshots": 2, "concerned": 0, "findings": {}}}


async def test_one_aggregate_is_found_by_its_id_and_a_limit_ends_it(
    cli: Cli, environment: Environment, accounts: list[AggregateId]
) -> None:
    env = {"AGGREGATE_NATS_URL": environment.nats.url}
    one = await cli("replay", accounts[2], env=env)
    assert (one.code, one.out.splitlines()[0]) == (0, "1 aggregate: 3 commits folded, 3 decided again, 0 snapshots compared")
    assert one.err.startswith("snapshots are not compared: no snapshots in")
    assert (await cli("replay", "--all", "--limit", "2", env=env)).out.startswith("2 aggregates: ")
    assert (await cli("replay", "--all", "--no-decisions", env=env)).out.startswith("3 aggregates: 9 commits folded, 0 decided again")
    assert (await cli("replay", "--all", "--type", "Order", env=env)).out == "no such aggregates\n"
    missing = await cli("replay", AggregateId.new_v7(), env=env)
    assert (missing.code, missing.out) == (1, "no such aggregates\n")


async def test_what_does_not_come_out_as_it_stands_is_told_with_its_place(
    cli: Cli, environment: Environment, accounts: list[AggregateId]
) -> None:
    stream = await environment.stream()
    sound = AggregateKey(TenantId("a"), AggregateType("Account"), accounts[0])
    key = replace(sound, aggregate_id=AggregateId.new_v7())
    message = decode_message((await stream.read(sound, after=0, upto=1 << 40))[0])
    planted = replace(
        message, aggregate_id=key.aggregate_id, commits=(replace(message.commits[0], gas=7, command_id=str(key.aggregate_id)),)
    )
    placed = await stream.append(key, encode_body(planted), {"Nats-Msg-Id": planted.commits[0].command_id}, expected=0)
    env = {"AGGREGATE_NATS_URL": environment.nats.url}
    ended = await cli("replay", "--all", env=env)
    assert ended.code == 1
    lines = ended.out.splitlines()
    where = f"version 0  position {stream.position(placed.sequence)}  command {key.aggregate_id}"
    assert f"gas  Account {key.aggregate_id} of tenant 'a'  {where}" in lines
    assert f"  stored    7\n  replayed  {message.commits[0].gas}\n" in ended.out
    assert lines[-1] == "1 do not come out as they stand: event_ids 1, gas 1"
    assert "stored" not in (await cli("replay", "--all", "--show", "0", env=env)).out
    machine = await cli("replay", key.aggregate_id, "--json", env=env)
    line, summary = map(json.loads, machine.out.splitlines())
    assert machine.code == 1
    assert [(found["kind"], found["version"], found["position"]) for found in line["findings"]] == [
        ("event_ids", 0, stream.position(placed.sequence)),
        ("gas", 0, stream.position(placed.sequence)),
    ]
    assert summary["summary"]["findings"] == {"event_ids": 1, "gas": 1}


async def test_what_another_program_would_change_is_told_before_it_is_rolled_out(
    cli: Cli, environment: Environment, accounts: list[AggregateId], tmp_path: Path
) -> None:
    env = {"AGGREGATE_NATS_URL": environment.nats.url}
    new = tmp_path / "new.agl"
    new.write_text(BANK_SOURCE + "\n# nothing else\n")
    same = await cli("replay", "--all", "--program", str(new), env=env)
    assert (same.code, same.out) == (0, f"3 aggregates: 9 commits folded, 9 decided again\n{new} would change nothing\n")
    new.write_text(BANK_SOURCE.replace("command.amount > state.balance:", "command.amount > state.balance - 80:"))
    ended = await cli("replay", "--tenant", "b", "--program", str(new), env=env)
    assert ended.code == 1
    head, stored, replayed, *summary = ended.out.splitlines()
    assert head.startswith(f"refused_now  Account {accounts[2]} of tenant 'b'  version 1  position ")
    assert stored == '  stored    accepted [{"amount":30,"type":"withdrawn"}]'
    assert replayed == '  replayed  refused rejected insufficient_funds: insufficient funds {"balance":100}'
    assert summary == ["1 aggregate: 3 commits folded, 3 decided again", f"1 would be changed by {new}: refused_now 1"]
    new.write_text(BANK_SOURCE.replace("state.balance - event.amount", "state.balance - event.amount - 1"))
    ended = await cli("replay", "--all", "--program", str(new), "--type", "Account", "--json", env=env)
    *lines, total = map(json.loads, ended.out.splitlines())
    assert [(found["kind"], found["stored"], found["replayed"]) for line in lines for found in line["findings"]] == [
        ("refusal", REFUSED.replace("N", "70"), REFUSED.replace("N", "69")),
        ("state", '{"balance":70}', '{"balance":69}'),
    ] * 3
    assert total["summary"]["findings"] == {"refusal": 3, "state": 3}


REFUSED = 'refused rejected insufficient_funds: insufficient funds {"balance":N}'


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "name an ID, a --tenant, or --all"),
        (("--all", "--tenant", "a"), 2, "--all goes with neither"),
        (("not-an-id",), 1, "expected a UUID"),
        (("--all", "--program", "missing.agl"), 3, "missing.agl cannot be read"),
        (("--all", "--program", "broken.agl"), 3, "broken.agl:1:"),
        (("--all", "--program", "broken.agl", "--type", "Nothing"), 3, "unknown aggregate type"),
    ],
)
async def test_wrong_use_is_told(
    cli: Cli, environment: Environment, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "broken.agl").write_text("def decide(\n")
    ended = await cli("replay", *arguments, env={"AGGREGATE_NATS_URL": environment.nats.url})
    assert ended.code == code
    assert words in " ".join(ended.err.replace("│", " ").split())


async def test_without_a_log_it_says_so_and_makes_none(cli: Cli) -> None:
    nobody = await cli("replay", "--all", env={"AGGREGATE_NATS_URL": f"nats://127.0.0.1:{free_port()}"})
    assert nobody.code == 4
    async with EmbeddedNats() as nats:
        for _ in range(2):
            empty = await cli("replay", "--all", env={"AGGREGATE_NATS_URL": nats.url})
            assert empty.code == 4
            assert "AGGREGATE_EVENTS" in empty.err


async def test_stopped_midway_it_does_not_end_as_if_all_were_equal(
    environment: Environment, accounts: list[AggregateId], tmp_path: Path
) -> None:
    process = await spawn("replay", "--all", "--json", cwd=tmp_path, code=STOPPED, **env_of(environment))
    assert process.stdout is not None
    assert await process.stdout.readline() == b"reading\n"
    process.send_signal(signal.SIGINT)
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert await process.wait() == 4
    assert json.loads(out.splitlines()[-1])["error"]["reason"] == "stopped"


STOPPED = """
import asyncio
from aggregate.cli import main
from aggregate.handler.replay import Replay

async def for_ever(self, key):
    print("reading", flush=True)
    await asyncio.Event().wait()

Replay.aggregate = for_ever
main()
"""
