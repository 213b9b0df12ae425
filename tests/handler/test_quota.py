"""Allowances a second, with a clock that the test turns."""

from __future__ import annotations

import asyncio

import pytest

from aggregate.errors import Overloaded
from aggregate.handler.quota import Quota
from aggregate.types import AggregateKey, Receipt
from tests.handler.conftest import World, deposit


def test_an_allowance_is_used_up_and_comes_back() -> None:
    now = [100.0]
    quota = Quota(10, "commands", lambda: now[0])
    for _ in range(10):
        quota.check("a")
        quota.use("a", 1)
    with pytest.raises(Overloaded) as caught:
        quota.check("a")
    assert (caught.value.reason, caught.value.status) == ("quota_commands", "RESOURCE_EXHAUSTED")
    assert caught.value.retry_after == pytest.approx(0.1)
    quota.check("b")
    now[0] += 0.11
    quota.check("a")
    now[0] += 1000
    for _ in range(10):
        quota.check("a")
        quota.use("a", 1)
    with pytest.raises(Overloaded):
        quota.check("a")


def test_what_a_command_cost_is_paid_before_the_next() -> None:
    now = [0.0]
    quota = Quota(1000, "gas", lambda: now[0])
    quota.check("a")
    quota.use("a", 3500)
    with pytest.raises(Overloaded) as caught:
        quota.check("a")
    now[0] += float(caught.value.retry_after or 0) + 0.001
    quota.check("a")


def test_without_a_limit_nothing_is_refused() -> None:
    quota = Quota(0, "commands")
    quota.use("a", 10**9)
    quota.check("a")


async def test_a_node_refuses_a_tenant_over_its_quota_and_serves_the_others(world: World) -> None:
    node = await world.node()
    node._admission._commands = Quota(3, "commands", lambda: 0.0)
    for _ in range(3):
        await node.submit(deposit())
    with pytest.raises(Overloaded) as caught:
        await node.submit(deposit())
    assert caught.value.reason == "quota_commands"
    assert (await node.submit(deposit(tenant_id="tenant-b"))).version == 1


async def test_gas_counts_too(world: World) -> None:
    node = await world.node()
    node._admission._gas = Quota(1, "gas", lambda: 0.0)
    await node.submit(deposit())
    with pytest.raises(Overloaded) as caught:
        await node.submit(deposit())
    assert caught.value.reason == "quota_gas"


async def test_one_tenant_alone_leaves_room_for_whoever_comes(world: World) -> None:
    gate = asyncio.Event()

    async def hold(_: AggregateKey) -> None:
        await gate.wait()

    node = await world.node(max_in_flight=8)
    world.stream.before_append = hold
    tasks: dict[str, list[asyncio.Task[Receipt]]] = {}
    for tenant in ("tenant-a", "tenant-b", "tenant-c"):
        tasks[tenant] = [asyncio.create_task(node.submit(deposit(tenant_id=tenant))) for _ in range(10)]
        await asyncio.sleep(0)
    refused = {tenant: [task for task in mine if task.done()] for tenant, mine in tasks.items()}
    assert {tenant: 10 - len(mine) for tenant, mine in refused.items()} == {"tenant-a": 5, "tenant-b": 2, "tenant-c": 1}
    reasons = [str(getattr(task.exception(), "reason", "")) for mine in refused.values() for task in mine]
    assert set(reasons) == {"in_flight_share", "in_flight"}
    gate.set()
    inside = [task for tenant, mine in tasks.items() for task in mine if task not in refused[tenant]]
    assert {int(receipt.version) for receipt in await asyncio.gather(*inside)} == {1}
