"""The node's image: what it is made of, how it starts, and how it ends."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from aggregate.client import AggregateClient
from aggregate.errors import AggregateError
from aggregate.types import AggregateId, new_uuid7

from .engine import docker, nats_image, node_image
from .waiting import until

pytestmark = [pytest.mark.container, pytest.mark.timeout(1800)]
HARD = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@contextmanager
def network() -> Iterator[str]:
    name = f"image-{secrets.token_hex(3)}"
    docker("network", "create", name)
    try:
        yield name
    finally:
        docker("network", "rm", name)


@contextmanager
def container(*arguments: str) -> Iterator[str]:
    """A running container, removed with what it kept."""
    name = docker("run", "-d", *arguments)
    try:
        yield name
    finally:
        docker("rm", "-fv", name)


@pytest.fixture
async def log() -> AsyncIterator[str]:
    """A NATS server; the network in which it is `nats`."""
    with network() as name, container("--network", name, "--network-alias", "nats", nats_image()) as nats:
        await until(lambda: healthy(nats))
        yield name


def healthy(name: str) -> bool:
    return docker("inspect", name, "--format", "{{.State.Health.Status}}") == "healthy"


def address(name: str) -> str:
    return docker("port", name, "50051/tcp").partition("\n")[0]


def test_help_is_the_commands_and_what_runs_is_not_root() -> None:
    image = node_image()
    assert "serve" in docker("run", "--rm", image, "--help")
    assert docker("run", "--rm", "--entrypoint", "id", image, "-u") == "10001"
    assert json.loads(docker("run", "--rm", image, "program", "eval", "1 + 2.50", "--json"))
    assert docker("run", "--rm", "-e", "AGGREGATE_ENGINE=native", image, "--version").startswith("aggregate ")


async def test_what_it_takes_to_have_one_running(log: str, capsys: pytest.CaptureFixture[str], record_property: Any) -> None:
    """Size on disk, time from the start of the container to the node's `ready`, memory of a node that is asked nothing."""
    image = node_image()
    with container(*HARD, "--network", log, "-e", "AGGREGATE_NATS_URL=nats://nats:4222", image) as node:
        ready = await until(lambda: [line for line in docker("logs", node).splitlines() if '"event":"ready"' in line])
        started = datetime.fromisoformat(docker("inspect", node, "--format", "{{.State.StartedAt}}")[:26] + "+00:00")
        seconds = (datetime.fromisoformat(json.loads(ready[0])["time"]) - started).total_seconds()
        used = docker("exec", node, "python3", "-c", "print(open('/proc/1/status').read())")
        megabytes = int(used.partition("VmRSS:")[2].split()[0]) / 1024
    size = int(docker("image", "inspect", image, "--format", "{{.Size}}")) / 1e6
    figures = f"image {size:.0f} MB; ready {seconds:.1f} s after the start of the container; {megabytes:.0f} MB of memory when idle"
    record_property("image", figures)
    with capsys.disabled():
        print(f"\n{figures}")
    assert size < 260
    assert megabytes < 160
    assert seconds > 0


async def test_nothing_but_its_folder_can_be_written(log: str) -> None:
    with container(*HARD, "--network", log, "-e", "AGGREGATE_NATS_URL=nats://nats:4222", node_image()) as node:
        await until(lambda: healthy(node))
        tried = "for each in / /etc/aggregate /opt/aggregate /usr/local/bin /tmp /var/lib/aggregate; do touch $each/x && echo $each; done"
        assert docker("exec", node, "sh", "-c", f"{tried}; true") == "/var/lib/aggregate"
        assert docker("exec", node, "id", "-u") == "10001"


def test_labels_say_what_it_is() -> None:
    labels = json.loads(docker("inspect", node_image(), "--format", "{{json .Config.Labels}}"))
    assert labels["org.opencontainers.image.title"] == "aggregate"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_no_compiler_and_no_build_tool_is_left_in_it() -> None:
    found = docker("run", "--rm", "--entrypoint", "sh", node_image(), "-c", "command -v cargo rustc gcc pip git; true")
    assert found == ""


async def test_a_node_without_nats_answers_and_is_not_healthy_yet() -> None:
    with container(*HARD, "-e", "AGGREGATE_NATS_URL=nats://127.0.0.1:1", node_image()) as node:
        await until(lambda: "not ready" in docker("logs", node) + _errors(node))
        answer = docker("exec", node, "healthcheck", check=False)
        assert json.loads(answer)["ready"] is False


def test_a_settings_file_is_taken_from_its_place(tmp_path: Path) -> None:
    (tmp_path / "aggregate.yaml").write_text("nats_url: nats://127.0.0.1:1\nmax_retries: many\n")
    tmp_path.chmod(0o755)
    name = docker("run", "-d", "-v", f"{tmp_path}:/etc/aggregate:ro", node_image())
    try:
        assert docker("wait", name) == "3"
        assert "aggregate.yaml:2: max_retries" in _errors(name)
    finally:
        docker("rm", "-fv", name)


async def test_sigterm_under_load_ends_with_0_and_every_caller_may_try_again(log: str) -> None:
    published = ("--network", log, "-e", "AGGREGATE_NATS_URL=nats://nats:4222", "-p", "127.0.0.1::50051")
    accounts = [AggregateId.new_v7() for _ in range(16)]
    acknowledged = dict.fromkeys(accounts, 0)
    errors: list[AggregateError] = []

    async def work(client: AggregateClient, account: AggregateId) -> None:
        """Deposits of 1 until one is refused."""
        while True:
            try:
                await client.submit("Account", account, {"type": "deposit", "amount": 1}, command_id=new_uuid7(), timeout=5)
                acknowledged[account] += 1
            except AggregateError as error:
                errors.append(error)
                return

    with container(*HARD, *published, node_image()) as node:
        await until(lambda: healthy(node))
        async with AggregateClient(address(node)) as client:
            for account in accounts:
                await client.submit("Account", account, {"type": "open_account", "initial_balance": 0})
            working = [asyncio.create_task(work(client, account)) for account in accounts]
            await until(lambda: min(acknowledged.values()) >= 5)
            await asyncio.to_thread(docker, "stop", "-t", "60", node)
            await asyncio.gather(*working)
        assert docker("inspect", node, "--format", "{{.State.ExitCode}}") == "0"
        assert '"event":"stopped"' in docker("logs", node)
    assert len(errors) == len(accounts)
    assert [error for error in errors if not error.retryable] == []
    with container(*HARD, *published, node_image()) as node:
        await until(lambda: healthy(node))
        async with AggregateClient(address(node)) as client:
            for account, count in acknowledged.items():
                state = await client.get("Account", account)
                assert count <= state.state.value["balance"] <= count + 1  # the last one may be in without its answer


def _errors(name: str) -> str:
    """What it wrote to standard error."""
    return subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True).stderr
