"""Whether aggregates that are no longer in memory leave something there: what a node takes of memory before and after very many of them
have passed through a cache that holds few.

    python -m bench.plateau AGGREGATES     (the process that is measured: handler, cache and snapshot store, on a log that forgets)
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from aggregate.config import AggregateManifest, Settings
from aggregate.handler import AggregateHandler
from aggregate.node import register
from aggregate.runtime import RuntimeExecutor
from aggregate.storage import StorageClient
from aggregate.stream.interface import Appended, StoredMessage
from aggregate.testing import MemoryStream
from aggregate.types import AggregateId, AggregateKey, AggregateType, Command, Document, TenantId, new_uuid7
from bench.loop import in_flight
from bench.programs.bank import BANK
from bench.registry import Bench, Case, Scale, Weighed

CACHE_BYTES = 8 << 20
TENANTS = [TenantId(f"tenant-{number}") for number in range(100)]
KIND = AggregateType("Account")
OPEN = Document.of({"type": "open_account", "owner": "Ada Lovelace", "initial_balance": 5})


class Forgetful(MemoryStream):
    """Takes every message and keeps none: whatever the process grows by is the node's."""

    taken = 0

    async def append(
        self,
        key: AggregateKey,
        body: bytes,
        headers: Mapping[str, str],
        *,
        expected: int,
        claim_owner: bool = False,
        ttl: float | None = None,
        timeout: float = 5.0,
    ) -> Appended:
        self.taken += 1
        return Appended(self.taken, duplicate=False)

    async def last(self, key: AggregateKey) -> StoredMessage | None:
        return None


async def weigh(aggregates: int) -> tuple[int, int, int]:
    """Bytes that the process takes when so many aggregates have filled all there is to fill, and after as many more; how many are kept."""
    with tempfile.TemporaryDirectory(prefix="aggregate-bench-") as folder:
        settings = Settings(nats_url="nats://nowhere:4222", cache_bytes=CACHE_BYTES, snapshot_threshold=1)
        stream = Forgetful()
        manifest = AggregateManifest.of_sources({KIND: BANK.source})
        programs = await register(RuntimeExecutor.of_settings(settings).load(manifest), stream)
        async with await StorageClient.open(folder) as storage:
            handler = AggregateHandler(settings, programs, storage, stream)
            await _pass(handler, storage, aggregates)
            before = _anonymous()
            await _pass(handler, storage, aggregates)
            return before, _anonymous(), handler.active_aggregates


async def _pass(handler: AggregateHandler, storage: StorageClient, aggregates: int) -> None:
    def opened(number: int) -> Command:
        return Command(TENANTS[number % len(TENANTS)], KIND, AggregateId.new_v7(), OPEN, new_uuid7())

    receipts = 0
    for start in range(0, aggregates, 5_000):
        numbers = range(start, min(start + 5_000, aggregates))
        receipts += len(await in_flight(64, [partial(handler.submit, opened(number)) for number in numbers]))
        await storage.flush()
    assert receipts == aggregates


def _anonymous() -> int:
    """Resident bytes that no file stands behind: pages of LMDB's file come and go as the machine likes."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


@contextmanager
def _case(scale: Scale) -> Iterator[Case]:
    count = scale.size(60_000, 6_000)
    command = [sys.executable, "-m", "bench.plateau", str(count)]
    before, after, kept = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=600).stdout)
    assert 0 < kept < count or scale.smoke, "the cache held them all: nothing was measured"
    yield Weighed(after, before)


BENCHES = (
    Bench(
        name="memory.plateau",
        ours="memory of a node after 60,000 more aggregates have passed through its full cache of 8 MiB",
        beside="before them",
        prepare=_case,
        tolerance=0.05,
        target=1.05,
    ),
)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(weigh(int(sys.argv[1])))))
