"""Processes that project documents until they are killed, started quickly: this one has loaded everything, and forks one for each line
on its standard input: `FOLDER TRANSACTIONS`.

The child says `I <pid>`, then its sequence after each transaction. In the middle of the one after TRANSACTIONS it waits to be killed,
if it was not before. When it has ended, `ended` is said.

python -m tests.query.follow NATS_URL
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aggregate.query import following
from aggregate.query.store import Store
from aggregate.stream import StreamClient
from aggregate.testing.memory_stream import MemoryStream
from aggregate.types.canary import Canary
from tests.query.documents import programs_on, projection

MESSAGES = 8
"""In a transaction, so that there are many."""
PAUSE = 0.002
"""Seconds that a transaction takes within, and that follow it: so that a kill at a random moment falls into either."""


async def follow(url: str, folder: Path, transactions: int) -> None:
    """Follow the log, up to within a transaction."""
    write, left = Store.write, transactions

    def slowly(store: Store, change: Callable[[Any], Any], canary: Canary) -> object:
        nonlocal left

        def within(transaction: Any) -> object:
            done = change(transaction)
            time.sleep(PAUSE if left else 3600)
            return done

        done: object = write(store, within, canary)
        left -= 1
        tell(store.sequence)
        time.sleep(PAUSE)
        return done

    Store.write = slowly  # type: ignore[assignment,method-assign]
    following.MOST_MESSAGES = MESSAGES  # type: ignore[misc]
    stream = await StreamClient.connect([url], create=False)
    async with projection(folder, stream, await programs_on(stream)):
        await asyncio.Event().wait()


def tell(*words: object) -> None:
    """A line, whole or not at all, whenever a kill comes."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main(url: str) -> None:
    """Fork, and see to the end of what was forked."""
    asyncio.run(programs_on(MemoryStream()))  # compiled once
    for line in sys.stdin:
        folder, transactions = line.split()
        child = os.fork()
        if not child:
            signal.alarm(60)  # nobody is left behind
            tell("I", os.getpid())
            asyncio.run(follow(url, Path(folder), int(transactions)))
        os.waitpid(child, 0)
        tell("ended")


if __name__ == "__main__":
    main(sys.argv[1])
