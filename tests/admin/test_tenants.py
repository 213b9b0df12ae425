"""Leading a tenant out of a node: nothing of it comes in, nothing of it is left, and the others notice nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aggregate.admin.server import AdminServer
from aggregate.errors import Unavailable
from aggregate.handler import AggregateHandler
from aggregate.stream.interface import Appended
from aggregate.testing import Environment
from aggregate.testing.admin import AdminTestServer
from aggregate.types import AggregateId, Command, TenantId

ACME = TenantId("acme")


@pytest.fixture
async def server() -> AsyncIterator[AdminTestServer]:
    async with Environment():
        running = await AdminServer.new_test()
        yield running
        await running.stop()


def hold_appends(handler: AggregateHandler, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Appends wait for the second event; the first one tells that one waits."""
    waits, goes = asyncio.Event(), asyncio.Event()
    append = handler.stream().append

    async def held(*arguments: object, **more: object) -> Appended:
        waits.set()
        await goes.wait()
        return await append(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(handler.stream(), "append", held)
    return waits, goes


def deposit(tenant: str = "acme") -> Command:
    return Command.new_test_deposit_with_tenant(tenant, 1)


async def test_a_drain_waits_for_what_is_in_flight(server: AdminTestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, goes = hold_appends(server.handler, monkeypatch)
    submitting = asyncio.create_task(server.handler.submit(deposit()))
    await waits.wait()
    draining = asyncio.create_task(server.post("/admin/drain", {"tenant_id": "acme"}))
    while not server.handler.draining_tenants():  # noqa: ASYNC110 - nothing announces that the drain has begun
        await asyncio.sleep(0.005)
    with pytest.raises(Unavailable) as caught:
        await server.handler.submit(deposit())
    assert (caught.value.reason, caught.value.retryable) == ("tenant_draining", True)
    assert caught.value.retry_after
    assert not draining.done()
    goes.set()
    assert (await submitting).version == 1
    answer = await draining
    assert (answer.status, answer.json()["outcome"]) == (200, "drained")


async def test_a_drain_that_takes_too_long_says_what_is_still_running(server: AdminTestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, goes = hold_appends(server.handler, monkeypatch)
    command = deposit()
    submitting = asyncio.create_task(server.handler.submit(command))
    await waits.wait()
    answer = await server.post("/admin/drain", {"tenant_id": "acme", "timeout": 0.01})
    assert answer.status == 504
    assert answer.json() == {
        "tenant_id": "acme",
        "outcome": "timeout",
        "in_flight": 1,
        "running": [{"aggregate_type": "Account", "aggregate_id": command.aggregate_id, "command_id": command.command_id}],
    }
    goes.set()
    await submitting
    assert (await server.post("/admin/drain", {"tenant_id": "acme", "timeout": 0})).json()["outcome"] == "drained"


async def test_a_caller_that_has_gone_is_waited_for_all_the_same(server: AdminTestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, goes = hold_appends(server.handler, monkeypatch)
    command = deposit()
    submitting = asyncio.create_task(server.handler.submit(command))
    await waits.wait()
    submitting.cancel()
    await asyncio.gather(submitting, return_exceptions=True)
    assert server.handler.in_flight == 0
    report = await server.handler.drain_tenant(ACME, 0.01)
    assert (report.outcome, [each.command_id for each in report.running]) == ("timeout", [command.command_id])
    goes.set()
    assert (await server.handler.drain_tenant(ACME, 5)).outcome == "drained"


async def test_other_tenants_notice_nothing_and_undrain_lets_in_again(server: AdminTestServer) -> None:
    await server.handler.submit(deposit())
    assert (await server.post("/admin/drain", {"tenant_id": "acme"})).status == 200
    assert (await server.handler.submit(deposit("other"))).version == 1
    listed = {each["tenant_id"]: each["draining"] for each in (await server.get("/admin/tenants")).json()}
    assert listed == {"acme": True, "other": False, "test-tenant": False}
    assert (await server.post("/admin/undrain", {"tenant_id": "acme"})).json() == {"tenant_id": "acme", "was_draining": True}
    assert (await server.handler.submit(deposit())).version == 1
    assert not (await server.post("/admin/undrain", {"tenant_id": "acme"})).json()["was_draining"]


async def test_a_drain_that_is_lifted_meanwhile_is_not_safe(server: AdminTestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, goes = hold_appends(server.handler, monkeypatch)
    submitting = asyncio.create_task(server.handler.submit(deposit()))
    await waits.wait()
    draining = asyncio.create_task(server.handler.drain_tenant(ACME, 60))
    await asyncio.sleep(0)
    assert (await server.post("/admin/undrain", {"tenant_id": "acme"})).json()["was_draining"]
    assert (await draining).outcome == "lifted"
    goes.set()
    await submitting


async def test_a_drain_expires_so_that_nobody_is_shut_out_for_ever(server: AdminTestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await server.handler.drain_tenant(ACME, 5, expires=0.0)).outcome == "lifted"
    assert (await server.handler.submit(deposit())).version == 1
    now = asyncio.get_running_loop().time()
    await server.handler.drain_tenant(ACME, 5, expires=30)
    assert server.handler.draining_tenants() == ["acme"]
    monkeypatch.setattr("aggregate.handler.admission.time.monotonic", lambda: now + 60)
    assert server.handler.draining_tenants() == []


async def test_reads_go_on_while_a_tenant_is_drained(server: AdminTestServer) -> None:
    command = deposit()
    await server.handler.submit(command)
    await server.handler.drain_tenant(ACME, 5)
    assert (await server.handler.get(ACME, command.aggregate_type, AggregateId(command.aggregate_id))).version == 1


async def test_a_tenant_that_is_forgotten_is_in_memory_no_more(server: AdminTestServer) -> None:
    await server.handler.submit(deposit())
    assert server.handler.tenants() == {"acme": 1, "test-tenant": 1}
    server.handler.forget_tenant(ACME)
    assert server.handler.tenants() == {"test-tenant": 1}
