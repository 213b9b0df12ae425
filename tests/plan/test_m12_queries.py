"""Plan milestone 12: queries, on a real nats-server and LMDB."""

from __future__ import annotations

import pytest

from aggregate.handler import AggregateHandler
from aggregate.types import Command, TenantId

pytestmark = pytest.mark.usefixtures("environment")


async def test_t12_1_query_returns_correct_aggregate_state() -> None:
    handler = await AggregateHandler.new_test()
    await handler.handle_command(Command.new_test_deposit_with_tenant("tenant-a", 100))
    results = await handler.query_client().query(TenantId("tenant-a"), "balance > 50")
    assert [row.state for row in results] == [{"balance": 100}]


async def test_t12_2_query_respects_tenant_isolation() -> None:
    handler = await AggregateHandler.new_test()
    await handler.handle_command(Command.new_test_deposit_with_tenant("tenant-a", 100))
    await handler.handle_command(Command.new_test_deposit_with_tenant("tenant-b", 200))
    results_a = await handler.query_client().query(TenantId("tenant-a"), "balance > 0")
    results_b = await handler.query_client().query(TenantId("tenant-b"), "balance > 0")
    assert len(results_a) == 1
    assert len(results_b) == 1
    assert results_a[0].state["balance"] != results_b[0].state["balance"]
