"""Clients that deposit without pause on the accounts of one tenant, and the check that nothing was lost or doubled."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aggregate.client import AggregateClient
from aggregate.errors import OutcomeUnknown, Unavailable
from aggregate.types import AggregateId, new_uuid7

OPEN = {"type": "open_account", "initial_balance": 0}
DEPOSIT = {"type": "deposit", "amount": 1}


class Load:
    """One client for each account; each asks the nodes in turn, and again under the same id until it has an answer."""

    def __init__(self, tenant: str, addresses: Sequence[str], accounts: int = 4) -> None:
        self._tenant = tenant
        self._addresses = addresses
        self._accounts = [AggregateId.new_v7() for _ in range(accounts)]
        self._acknowledged: dict[AggregateId, list[str]] = {account: [] for account in self._accounts}
        self._stack = AsyncExitStack()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def count(self) -> int:
        """Commands that were acknowledged."""
        return sum(map(len, self._acknowledged.values()))

    async def __aenter__(self) -> Self:
        clients = [
            await self._stack.enter_async_context(AggregateClient(address, tenant_id=self._tenant, timeout=3))
            for address in self._addresses
        ]
        for number, account in enumerate(self._accounts):
            rotated = itertools.cycle(clients[number % len(clients) :] + clients[: number % len(clients)])
            await self._submit(rotated, account, OPEN)
            self._tasks.append(asyncio.create_task(self._deposit(rotated, account)))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopping = True
        try:
            async with asyncio.timeout(30):
                await asyncio.gather(*self._tasks)
        finally:
            await self._stack.aclose()

    async def more(self, count: int = 20) -> None:
        """Wait until so many more are acknowledged."""
        wanted = self.count + count
        async with asyncio.timeout(30):
            while self.count < wanted:
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.005)

    async def check(self, address: str) -> None:
        """Every acknowledged command stands in the log once, and every version is there."""
        async with AggregateClient(address, tenant_id=self._tenant, timeout=10) as client:
            for account in self._accounts:
                events = await client.read_events("Account", account)
                assert [int(event.version) for event in events] == [*range(1, len(events) + 1)]
                stored = Counter(str(event.command_id) for event in events)
                assert set(stored.values()) == {1}
                assert set(self._acknowledged[account]) == set(stored), "whoever stopped had an answer to everything"

    async def _deposit(self, clients: itertools.cycle[AggregateClient], account: AggregateId) -> None:
        while not self._stopping:
            await self._submit(clients, account, DEPOSIT)

    async def _submit(self, clients: itertools.cycle[AggregateClient], account: AggregateId, payload: dict[str, object]) -> None:
        command_id = new_uuid7()
        while True:
            try:
                await next(clients).submit("Account", account, payload, command_id=command_id)
            except (Unavailable, OutcomeUnknown):
                await asyncio.sleep(0.02)
            else:
                self._acknowledged[account].append(command_id)
                return
