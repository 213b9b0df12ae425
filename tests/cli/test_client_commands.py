"""submit, events, state: output for people and machines, and exit codes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import typer

from aggregate.cli.exits import run
from aggregate.errors import Overloaded, Rejected, StorageError, TenantAccessDenied, VersionConflict
from aggregate.types import AggregateId, AggregateState, AggregateType, Command, Document, Event, TenantId, Version, new_uuid7
from aggregate.types.stored_events import StoredEvents
from tests.gateway.conftest import FakeHandler, Gateway, until

from .conftest import Cli

TARGET = AggregateId.new_v7()
DEPOSIT = '{"type": "deposit", "amount": 100}'


def raising(handler: FakeHandler, error: Exception) -> None:
    def refuse(_: Command) -> None:
        raise error

    handler.decide = refuse


async def test_an_accepted_command_is_told_to_people(cli: Cli, gateway: Gateway) -> None:
    ended = await cli("submit", "Account", TARGET, DEPOSIT, "--node", gateway.server.address, "--tenant", "acme")
    assert ended.code == 0
    first, event = ended.out.splitlines()
    assert first == f"accepted  Account {TARGET}  version 1  gas 12"
    assert event == '     1  done  {"type":"done","what":{"amount":100,"type":"deposit"}}'


async def test_and_to_machines_with_exact_numbers(cli: Cli, gateway: Gateway) -> None:
    exact = '{"type": "deposit", "amount": 12345678901234567890.10}'
    ended = await cli("submit", "Account", TARGET, exact, "--node", gateway.server.address, "--json")
    assert ended.code == 0
    told = json.loads(ended.out)
    assert (told["aggregate_id"], told["version"], told["position"]) == (TARGET, 1, "0:7")
    assert '"amount":12345678901234567890.1,' in ended.out


async def test_options_reach_the_node(cli: Cli, gateway: Gateway, handler: FakeHandler) -> None:
    command_id = new_uuid7()
    ended = await cli(
        *("submit", "Account", "new", "-", "--node", gateway.server.address, "--tenant", "acme", "--expect", "0"),
        *("--command-id", command_id, "--metadata", "who=ann=e", "--metadata", "why="),
        stdin=DEPOSIT,
    )
    assert ended.code == 0
    ((command, _),) = handler.seen
    assert (command.tenant_id, command.command_id, command.expected_version) == ("acme", command_id, 0)
    assert command.metadata.items() >= {"who": "ann=e", "why": ""}.items()
    assert command.payload == Document.of({"type": "deposit", "amount": 100})


async def test_a_payload_can_be_a_file(cli: Cli, gateway: Gateway, handler: FakeHandler, tmp_path: Path) -> None:
    (tmp_path / "command.json").write_text(DEPOSIT)
    assert (await cli("submit", "Account", TARGET, "@command.json", "--node", gateway.server.address)).code == 0
    assert len(handler.seen) == 1
    missing = await cli("submit", "Account", TARGET, "@nothing.json", "--node", gateway.server.address)
    assert missing.code == 2
    assert "nothing.json" in missing.err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Rejected("insufficient_funds", "balance 75 < 1000"), 1, "rejected: insufficient_funds: balance 75 < 1000"),
        (TenantAccessDenied("b"), 1, "tenant access denied: tenant 'b' has no access to this aggregate"),
        (VersionConflict(1, 2), 1, "version conflict: expected version 1, the aggregate is at 2"),
        (Overloaded("queue full"), 4, "overloaded: queue full"),
        (StorageError("disk"), 5, "storage: disk"),
    ],
)
async def test_a_refusal_is_one_line_and_an_exit_code(
    cli: Cli, gateway: Gateway, handler: FakeHandler, error: Exception, code: int, line: str
) -> None:
    raising(handler, error)
    ended = await cli("submit", "Account", TARGET, DEPOSIT, "--node", gateway.server.address)
    assert (ended.code, ended.out, ended.err) == (code, "", line + "\n")


async def test_a_refusal_is_json_for_machines(cli: Cli, gateway: Gateway, handler: FakeHandler) -> None:
    raising(handler, Rejected("insufficient_funds", "no", b'{"balance":75}', 9))
    ended = await cli("submit", "Account", TARGET, DEPOSIT, "--node", gateway.server.address, "--json")
    assert ended.code == 1
    told = json.loads(ended.out)["error"]
    assert (told["code"], told["reason"], told["status"], told["retryable"]) == (
        "rejected",
        "insufficient_funds",
        "FAILED_PRECONDITION",
        False,
    )
    assert told["details"] == {"details": '{"balance":75}', "gas_used": "9"}


async def test_a_node_that_is_not_there_is_exit_code_4(cli: Cli, gateway: Gateway) -> None:
    await gateway.server.stop(0)
    ended = await cli("state", "Account", TARGET, "--node", gateway.server.address)
    assert ended.code == 4
    assert ended.err.startswith("unavailable: no answer from the node")


async def test_wrong_input_is_refused_by_name(cli: Cli, gateway: Gateway) -> None:
    ended = await cli("submit", "Account", "42", DEPOSIT, "--node", gateway.server.address)
    assert ended.code == 1
    assert ended.err.startswith("invalid argument: aggregate_id: expected a UUID")


async def test_events_are_a_line_each(cli: Cli, gateway: Gateway, handler: FakeHandler) -> None:
    at = "2026-01-31T12:00:00.000Z"
    handler.events = [Event.new_test(aggregate_id=TARGET, version=number, timestamp=at) for number in range(1, 6)]
    ended = await cli("events", "Account", TARGET, "--node", gateway.server.address, "--after", "2", "--limit", "2")
    assert ended.out.splitlines() == [f'     {number}  {at}  deposited  {{"amount":50,"type":"deposited"}}' for number in (3, 4)]
    machine = await cli("events", "Account", TARGET, "--node", gateway.server.address, "--json")
    assert [Event.from_dict(json.loads(line)) for line in machine.out.splitlines()] == handler.events


async def test_following_and_a_limit_do_not_go_together(cli: Cli, gateway: Gateway) -> None:
    assert (await cli("events", "Account", TARGET, "--node", gateway.server.address, "--follow", "--limit", "3")).code == 2


async def test_a_state_keeps_all_digits(cli: Cli, gateway: Gateway, handler: FakeHandler) -> None:
    text = b'{"balance":12345678901234567890.1,"holds":[],"owner":{"name":"Ann"},"tags":["a",2]}'
    handler.state = AggregateState(TenantId(), AggregateType("Account"), TARGET, Version(4), Document(text), "ab" * 32, "0:9")
    ended = await cli("state", "Account", TARGET, "--node", gateway.server.address)
    first, digest, *body = ended.out.splitlines()
    assert first == f"Account {TARGET}  version 4  position 0:9"
    assert digest == "hash " + "ab" * 32
    assert '  "balance": 12345678901234567890.1,' in body
    assert json.loads("\n".join(body)) == json.loads(text)
    machine = await cli("state", "Account", TARGET, "--node", gateway.server.address, "--json")
    assert '"state":' + text.decode() in machine.out


async def test_the_node_s_address_comes_from_the_setting(cli: Cli, gateway: Gateway) -> None:
    ended = await cli("submit", "Account", TARGET, DEPOSIT, env={"AGGREGATE_GRPC_ADDRESS": gateway.server.address})
    assert ended.code == 0


def test_a_defect_shows_its_traceback_and_is_exit_code_5(capsys: pytest.CaptureFixture[str]) -> None:
    async def broken() -> None:
        raise KeyError("a bug")

    with pytest.raises(typer.Exit) as caught:
        run(broken())
    assert caught.value.exit_code == 5
    assert "KeyError: 'a bug'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("at", "asked"),
    [
        ("", (None, None)),
        ("3", (3, None)),
        ("0", (0, None)),
        ("2026-01-31T12:00:00Z", (None, "2026-01-31T12:00:00Z")),
        ("9" * 30, (None, "9" * 30)),
    ],
)
async def test_a_state_can_be_asked_for_as_of_a_version_or_a_time(
    cli: Cli, gateway: Gateway, handler: FakeHandler, at: str, asked: tuple[int | None, str | None]
) -> None:
    handler.state = AggregateState(TenantId(), AggregateType("Account"), TARGET, Version(3), Document(b"null"), "ab" * 32, "0:9")
    assert (await cli("state", "Account", TARGET, "--node", gateway.server.address, "--at", at)).code == 0
    assert handler.asked == asked


async def test_following_goes_on_from_a_position_and_says_how_to_go_on(cli: Cli, gateway: Gateway, handler: FakeHandler) -> None:
    events = tuple(Event.new_test(aggregate_id=TARGET, version=number, position=f"0:{number}") for number in (3, 4))
    handler.groups = [StoredEvents((event,), event.position) for event in events]
    following = asyncio.ensure_future(
        cli("events", "Account", TARGET, "--node", gateway.server.address, "--follow", "--from", "0:2", "--json")
    )
    await until(lambda: bool(handler.followed))
    await gateway.server.stop(0.5)
    ended = await following
    assert handler.followed == ["0:2"]
    *lines, told = map(json.loads, ended.out.splitlines())
    assert [Event.from_dict(line) for line in lines] == list(events)
    assert ended.code == 4
    assert told["error"]["message"].endswith("; to go on: --from 0:4")
    wrong = await cli("events", "Account", TARGET, "--node", gateway.server.address, "--from", "0:2")
    assert (wrong.code, handler.followed) == (2, ["0:2"])
