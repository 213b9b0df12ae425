"""A process that projects documents, says after each transaction how far it is, and goes on until it is killed.

python -m tests.query.follow NATS_URL FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aggregate.query import following
from aggregate.query.store import Store
from aggregate.stream import StreamClient
from tests.query.documents import programs_on, projection


async def main(url: str, folder: Path) -> None:
    """Follow the log for ever, in small transactions."""
    following.MOST_MESSAGES = 16  # type: ignore[misc]  # so that there are many
    write = Store.write

    def told(store: Store, *arguments: object) -> object:
        done: object = write(store, *arguments)  # type: ignore[arg-type]
        print(store.sequence, flush=True)
        return done

    Store.write = told  # type: ignore[assignment,method-assign]
    stream = await StreamClient.connect([url], create=False)
    async with projection(folder, stream, await programs_on(stream)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
