"""JSON documents to canonical text: what every payload goes through on its way in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from orjson import OPT_SORT_KEYS, dumps, loads

import aggregate.engine
from bench.programs.order import ORDER
from bench.registry import Bench, Case, Scale, Timed

COMMAND = b'{"type": "withdraw", "amount": 75.25, "note": "rent for May", "tags": ["home", "fixed"]}'


@contextmanager
def _case(scale: Scale, *, engine: str, large: bool) -> Iterator[Case]:
    text = b"[%b]" % b",".join(ORDER.histories(2_000)[0] * 50) if large else COMMAND
    canonical = aggregate.engine.get(engine).canonical
    per_call = (100 if large else 20_000) if engine == "native" else (2 if large else 1_000)
    times = range(scale.size(per_call, 2))

    def ours() -> bytes:
        for _ in times:
            answer = canonical(text)
        return answer

    def beside() -> bytes:
        for _ in times:
            answer = dumps(loads(text), option=OPT_SORT_KEYS)
        return answer

    def check(ours: bytes, beside: bytes) -> None:
        assert json.loads(ours) == json.loads(beside)
        assert canonical(ours) == ours

    yield Timed(ours, beside, check, scale.rounds(20 if engine == "native" else 5))


def _benches() -> Iterator[Bench]:
    for size, large in (("command", False), ("large", True)):
        for engine in ("native", "pure"):
            native = engine == "native"
            yield Bench(
                name=f"canonical.{size}.{engine}",
                ours=f"{engine} canonical text of {'a list of 1,000 events' if large else 'one command'}",
                beside="orjson, sorted keys",
                prepare=partial(_case, engine=engine, large=large),
                tolerance=0.2,
                needs=("_native", "_keys") if native else (),
            )


BENCHES = tuple(_benches())
