"""What `swarm/README.md` says, done on a Swarm of one machine: three NATS servers, two nodes of two ranges, and the gateway that leads each
tenant to its own. Everything of the page is run but the making of images, which `make container` does.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import pytest

from aggregate.client import AggregateClient
from aggregate.errors import OutcomeUnknown, Unavailable
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.testing.nats import free_port
from aggregate.types import AggregateId, new_uuid7

from .engine import BUILD, GATEWAY, NODE, docker, images, need_engine
from .page import Page, blocks
from .platform import Stack
from .waiting import until

NODE_OF = {"acme": "aggregate-a-m", "mellon": "aggregate-a-m", "nadir": "aggregate-n-z", "zenith": "aggregate-n-z"}
OPEN = {"type": "open_account", "initial_balance": 5}
DEPOSIT = {"type": "deposit", "amount": 1}
SECRETS = ("nats_password", "admin_token")


async def serving_node(address: str, tenant: str) -> str:
    """Open an account of the tenant; the node that did it, as it says itself."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = pb_grpc.CommandServiceStub(channel)
        request = pb.SubmitCommandRequest(aggregate_type="Account", aggregate_id=AggregateId.new_v7(), payload=json.dumps(OPEN))
        call = stub.SubmitCommand(request, metadata=(("x-tenant-id", tenant),), timeout=10, wait_for_ready=True)
        assert (await call).version == 1
        return str(dict(await call.trailing_metadata())["x-aggregate-node"])


async def submitted(client: AggregateClient, account: AggregateId) -> None:
    """A deposit, again under its id while the answer says that it may be."""
    command_id = new_uuid7()
    async with asyncio.timeout(60):
        while True:
            try:
                await client.submit("Account", account, DEPOSIT, command_id=command_id)
                return
            except (Unavailable, OutcomeUnknown):
                await asyncio.sleep(0.05)


@contextmanager
def taken_away() -> Iterator[None]:
    """Whatever happens inside, nothing of the page's stack is left."""
    try:
        yield
    finally:
        if docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "active":
            docker("stack", "rm", "platform", check=False)
            for _ in range(60):
                if not docker("ps", "-aq", "--filter", "label=com.docker.stack.namespace=platform"):
                    break
                time.sleep(1)
            docker("swarm", "leave", "--force", check=False)
            docker("rm", "-fv", "restored", check=False)
        docker("network", "rm", "restored", check=False)
        docker("volume", "rm", "-f", *(f"platform_nats-{number}" for number in (1, 2, 3)), check=False)


@asynccontextmanager
async def depositing(address: str, tenant: str) -> AsyncIterator[None]:
    """Someone deposits on an account of the tenant all the while: none is lost or doubled, no error but such as tell to try again."""
    async with AggregateClient(address, tenant_id=tenant) as client:
        account = AggregateId.new_v7()
        version = (await client.submit("Account", account, OPEN)).version
        stop = asyncio.Event()

        async def deposit() -> int:
            deposited = int(version)
            while not stop.is_set():
                deposited += 1
                await submitted(client, account)
            return deposited

        task = asyncio.create_task(deposit())
        try:
            yield
        finally:
            stop.set()
        deposited = await task
        assert (await client.get("Account", account)).version == deposited > 1


def left() -> set[str]:
    """Containers, volumes and networks of this machine; not those that every engine which was in a Swarm has."""
    listed = [docker("ps", "-aq"), docker("volume", "ls", "-q"), docker("network", "ls", "--format", "{{.Name}}")]
    return {each for lines in listed for each in lines.split()} - {"docker_gwbridge"}


def test_the_page_makes_the_images_as_the_tests_do() -> None:
    (made,) = [block for heading, block in blocks() if heading == "Images"]
    assert f"docker build -t {GATEWAY} docker/gateway\n" in made
    assert f"{' '.join(BUILD)} -t {NODE} .\n" in made
    assert {word for word in made.split() if word.startswith("docker/make")} == {"docker/make-base-image.sh", "docker/make-nats-image.sh"}


@pytest.mark.container
@pytest.mark.timeout(1800)
async def test_the_page_from_deploying_to_taking_away(tmp_path: Path) -> None:
    need_engine()
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "active":
        pytest.skip("this machine is in a Swarm: the page would change it")
    images()
    before = left()
    port = free_port()
    # The service of the first range finds its machine by the label that the page gives; and updates are not watched for long.
    page = Page(tmp_path, port, {"UPDATE_MONITOR": "2s"})
    page.prologue = next(block for heading, block in blocks() if heading == "Deploy") + "unset A_M_CONSTRAINT"
    stack, gateway = Stack("platform"), f"127.0.0.1:{port}"
    with taken_away():
        await everything(page, stack, gateway)
        assert page.left == []
    assert left() <= before


async def everything(page: Page, stack: Stack, gateway: str) -> None:
    async def run(heading: str) -> str:
        return await asyncio.to_thread(page.run, heading)

    await run("Deploy")  # the constraints
    await run("Deploy")
    await until(stack.converged)
    await until(stack.has_routes)
    assert "version 1" in await run("Deploy")
    assert {tenant: await serving_node(gateway, tenant) for tenant in NODE_OF} == NODE_OF
    told = json.loads(await run("Deploy"))
    assert told["healthy"], told
    assert told["durability"] == "an acknowledged command stands on at least 2 of 3 replicas, written through to the disk"

    async with depositing(gateway, "zoe"):
        settings = page.folder / "swarm/config/settings.yaml"
        settings.write_text(settings.read_text() + "log_level: debug\n")
        await run("Change settings or placement")
        for node in ("aggregate-a-m", "aggregate-n-z"):
            assert await until(lambda node=node: stack.updated(node)) == "completed"  # type: ignore[misc]
            assert "log_level: debug" in stack.on(node, "cat", "/etc/aggregate/aggregate.yaml")
    placement = page.folder / "swarm/config/placement.yaml"
    placement.write_text(placement.read_text() + "tenants: {globex: aggregate-n-z}\n")
    shown = await run("Change settings or placement")
    assert re.search(r"epoch:? 1\b", shown), shown
    await until(lambda: asyncio.run(serving_node(gateway, "globex")) == "aggregate-n-z")

    await run("Scale")
    assert stack.replicas("aggregate-a-m") == "2/2"
    async with depositing(gateway, "acme"):
        await run("Roll")
    assert stack.updated("aggregate-a-m") == "completed"
    nats = stack.container("nats-1")
    await run("Roll")
    assert stack.container("nats-1") != nats

    assert "moved acme from aggregate-a-m to aggregate-n-z" in await run("Move a tenant")
    assert await serving_node(gateway, "acme") == "aggregate-n-z"

    docker("node", "update", "--label-rm", "tenant_range", docker("node", "ls", "-q"))
    await until(lambda: stack.container("aggregate-a-m") == "")
    async with AggregateClient(gateway, tenant_id="bolt") as client:
        assert (await client.submit("Account", AggregateId.new_v7(), OPEN, timeout=30)).version == 1, "the other node serves"
    await run("Lose a node, a server, a machine")
    await until(stack.converged)
    await until(lambda: asyncio.run(serving_node(gateway, "bolt")) == "aggregate-a-m")

    (page.folder / "backups").mkdir()
    assert "saved AGGREGATE_EVENTS" in await run("Back up and restore")
    replayed = await run("Back up and restore")
    found = re.search(r"(\d+) aggregates: (\d+) commits folded, (\d+) decided again", replayed)
    assert found is not None, replayed
    assert int(found[1]) >= len(NODE_OF) + 3
    assert found[2] == found[3]
    await run("Take it away")
    assert docker("secret", "ls", "-q", check=False) == ""
