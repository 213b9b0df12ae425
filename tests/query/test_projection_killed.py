"""The projection on disk is killed again and again while it catches up: it skips nothing and does nothing twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import lmdb

from aggregate.stream import StreamClient
from aggregate.testing.nats import EmbeddedNats
from tests.query.documents import Log, contents, programs_on, projection, reach_end, stores
from tests.query.follow import MESSAGES, PAUSE

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("AGGREGATE_KILLS", "20"))
MOST = 5
"""Transactions that one which is to be killed may do."""


async def test_killed_at_any_point_it_is_what_a_rebuild_makes(tmp_path: Path) -> None:
    numbers = random.Random(5)
    async with EmbeddedNats() as nats:
        stream = await StreamClient.connect([nats.url], claims_owners=False)
        log = await Log.begin(stream)
        places = [0]
        async with followers(nats.url) as following:
            for _ in range(KILLS):
                await write(log, numbers, MESSAGES * (MOST + 1))
                await following.kill(tmp_path / "killed", numbers)
                places.append(place(tmp_path / "killed"))
                assert places[-1] < log.history[-1][0], "it was killed while it caught up"
        assert places == sorted(places)
        assert len(set(places)) > KILLS // 2, "and got on between the kills"
        programs = await programs_on(stream)
        for name in ("killed", "rebuilt"):
            async with projection(tmp_path / name, stream, programs) as running:
                await reach_end(running, log)
        await stream.close()
    assert contents(tmp_path / "killed") == contents(tmp_path / "rebuilt")
    assert len(contents(tmp_path / "rebuilt")) > 100


async def write(log: Log, numbers: random.Random, count: int) -> None:
    """Some commands, several at once."""
    writes = [("t-1" if n % 3 else "t-2", "AB"[n % 2], numbers.randrange(40), {"a": n, "o": {"x": str(n % 7)}}) for n in range(count)]
    for at in range(0, count, 16):
        await asyncio.gather(*(log.write(*each) for each in writes[at : at + 16]))


def place(folder: Path) -> int:
    """How far the projection in a folder is, of which nobody has hold."""
    found = stores(folder) if folder.exists() else []
    if not found:
        return 0
    with lmdb.open(str(found[0]), readonly=True, lock=False) as env, env.begin() as transaction:
        return int.from_bytes(transaction.get(b"mcanary", bytes(8))[:8], "big")


class Followers:
    """Starts processes that project, and kills them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def kill(self, folder: Path, numbers: random.Random) -> None:
        """Start one, and kill it at a random moment, at the latest within its last transaction."""
        assert self._process.stdin is not None
        most = numbers.randrange(MOST + 1)
        self._process.stdin.write(f"{folder} {most}\n".encode())
        _, pid = (await self._line()).split()
        for _ in range(numbers.randint(0, most)):
            await self._line()
        await asyncio.sleep(numbers.uniform(0, 3 * PAUSE))
        os.kill(int(pid), signal.SIGKILL)
        while await self._line() != "ended":
            pass

    async def _line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            line = await self._process.stdout.readline()
        assert line, "the process that starts them has ended"
        return line.decode().strip()


@asynccontextmanager
async def followers(url: str) -> AsyncIterator[Followers]:
    """The process that starts them."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.query.follow",
        url,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    yield Followers(process)
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
