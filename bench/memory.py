"""What an aggregate in the hot cache takes of memory: resident bytes of a process that holds very many, beside the bound and beside what
the cache itself reckons with.

    python -m bench.memory ENGINE AGGREGATES IDS     (the process that is measured)
"""

from __future__ import annotations

import gc
import json
import random
import resource
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import aggregate.engine
from aggregate.handler.cache import HotCache
from aggregate.handler.known_ids import KEPT, KnownIds
from aggregate.handler.loaded import ENVELOPE_BYTES, Loaded
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId
from bench.registry import Bench, Case, Scale, Weighed

BOUND = 2048
TENANT, KIND = TenantId("acme"), AggregateType("Account")
"""A node keeps one of each, whatever number of aggregates has it."""
MINUTE, COMMANDS = 60_000, 100_000
"""A command a minute for each aggregate, with so many of others in between."""


def weigh(engine: str, aggregates: int, ids: int) -> tuple[float, float]:
    """Resident bytes of one cached account that has seen `ids` commands lately, and what the cache reckons it takes."""
    chosen = aggregate.engine.get(engine)
    cache = HotCache(1 << 40)
    cache.put(_account(chosen, 0, ids))
    gc.collect()
    before, counted = _resident(), cache.bytes
    for number in range(1, aggregates + 1):
        cache.put(_account(chosen, number, ids))
    gc.collect()
    return (_resident() - before) / aggregates, (cache.bytes - counted) / aggregates


def _account(engine: aggregate.engine.Engine, number: int, ids: int) -> Loaded:
    key = AggregateKey(TENANT, KIND, AggregateId.new_v7())
    first = 1_700_000_000_000 + number
    known = KnownIds().with_ids((_id(first + index * MINUTE), number + index * COMMANDS) for index in range(ids))
    state = engine.state(b'{"balance":%d,"owner":"Ada Lovelace"}' % number)
    sequence = number + 1_000_000
    return Loaded(
        key=key,
        state=state,
        version=number + 10_000,
        sequence=sequence,
        solid=sequence,
        last_time=f"2026-01-31T12:00:{number % 60:02}.{number % 1000:03}Z",
        generation=1,
        known=known,
        owned=True,
        snapshot_version=number + 9_900,
        tail_bytes=number + 50_000,
        size=state.size() + known.size + ENVELOPE_BYTES,
    )


def _id(milliseconds: int) -> str:
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | random.getrandbits(62)))


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:  # no /proc: the peak, which is the same while nothing is given back
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def _case(scale: Scale, *, engine: str, ids: int, beside_reckoned: bool) -> Iterator[Case]:
    count = scale.size(20_000, 2_000)
    command = [sys.executable, "-m", "bench.memory", engine, str(count), str(ids)]
    measured, reckoned = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
    assert measured > len(b'{"balance":1}'), "nothing was kept"
    yield Weighed(measured, reckoned if beside_reckoned else BOUND)


def _benches() -> Iterator[Bench]:
    for engine in ("native", "pure"):
        native = engine == "native"
        for ids in (4, KEPT):
            yield Bench(
                name=f"memory.{ids}_ids.{engine}",
                ours=f"{engine}: bytes of a cached account that keeps {ids} command ids",
                beside="2 KiB",
                prepare=partial(_case, engine=engine, ids=ids, beside_reckoned=False),
                tolerance=0.15,
                target=1.0 if native else None,
                needs=("_native", "_keys") if native else (),
            )
        yield Bench(
            name=f"memory.reckoned.{engine}",
            ours=f"{engine}: bytes of a cached account that keeps {KEPT} command ids",
            beside="what the cache reckons",
            prepare=partial(_case, engine=engine, ids=KEPT, beside_reckoned=True),
            tolerance=0.15,
            target=1.2,
            needs=("_native", "_keys") if native else (),
        )


BENCHES = tuple(_benches())


if __name__ == "__main__":
    print(json.dumps(weigh(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
