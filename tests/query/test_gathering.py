"""Messages gather for a transaction, and nobody who waits for a position waits for that."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aggregate.query import following
from aggregate.query.interface import Transaction
from aggregate.stream.positions import sequence_of
from tests.query.documents import Log, programs_on, projection
from tests.stream.waiting import eventually


async def test_messages_gather_until_somebody_waits_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "GATHER", 3600.0)
    log = await Log.begin()
    await log.write("t-1", "A", 1, {"a": 0})
    async with projection(tmp_path, log.stream, await programs_on(log.stream)) as running:
        transactions: list[int] = []
        await running.reach(log.stream.position(log.history[-1][0]), time.monotonic() + 30)
        running.listen(_Counting(transactions))
        for number in range(20):
            await log.write("t-1", "A", number % 3, {"a": number})
        follower = running._follower
        assert follower is not None
        await eventually(lambda: len(follower._batch.messages) >= 19)  # the first may have gone by itself
        assert len(transactions) <= 1
        last = log.stream.position(log.history[-1][0])
        for _ in range(2):  # whoever asks for what is there waits for nothing
            await running.reach(last, time.monotonic() + 30)
        assert 1 <= len(transactions) <= 2
        assert sum(transactions) in {3, 4}
        assert sequence_of(running.position) in {log.history[-1][0], log.history[-1][0] + 1}, "or a mark behind it, where `reach` took long"


class _Counting:
    """Counts the changed rows of each transaction."""

    def __init__(self, transactions: list[int]) -> None:
        self._transactions = transactions

    def committed(self, transaction: Transaction) -> None:
        self._transactions.append(sum(len(changed) for changed in transaction.changes.values()))

    def replaced(self) -> None:
        pass

    def stopped(self) -> None:
        pass
