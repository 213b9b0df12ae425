"""An event loop for rounds that are timed from outside it, of the kind a node runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import uvloop

T = TypeVar("T")


@contextmanager
def event_loop() -> Iterator[asyncio.Runner]:
    """A uvloop; `run` is called once a round."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


async def in_flight(clients: int, calls: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """The answers of all calls, `clients` under way at any time, each client taking the next call when its last one is answered."""
    queue = iter(calls)
    answers: list[T] = []

    async def client() -> None:
        for call in queue:
            answers.append(await call())  # noqa: PERF401 - an answer is kept when it comes, whichever client got it

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers
