"""A node in a process of its own, for tests of what it stands, and a look at its memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aggregate.client import AggregateClient
from aggregate.testing.process import TetheredProcess
from aggregate.types import AggregateId
from tests.cli.processes import ANY_PORTS

START_SECONDS = 60.0


@dataclass(frozen=True)
class NodeProcess:
    """`aggregate dev` on the bank."""

    address: str
    pid: int

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def memory(self) -> int:
        """Bytes in memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@contextmanager
def node_process(folder: Path) -> Iterator[NodeProcess]:
    """A running one; stopped on leaving."""
    output = folder / "output"
    process = TetheredProcess.start(
        [sys.executable, "-m", "aggregate", "dev", "--json", "--data", str(folder / "data"), *ANY_PORTS], output
    )
    try:
        yield NodeProcess(_address(process, output), process.pid)
    finally:
        asyncio.run(process.stop(20.0))


def _address(process: TetheredProcess, output: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while process.exit_code is None and time.monotonic() < deadline:
        for line in output.read_text().splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n") and "grpc" in (told := json.loads(line)):
                return str(told["grpc"])
        time.sleep(0.01)
    raise AssertionError(f"the node did not come up:\n{output.read_text()[-2000:]}")


@asynccontextmanager
async def probed(node: NodeProcess) -> AsyncIterator[list[float]]:
    """Within it a command is sent to the node now and then, and must be accepted every time; gives the seconds each took."""
    took: list[float] = []
    leaving = asyncio.Event()

    async def probe() -> None:
        account = AggregateId.new_v7()
        async with AggregateClient(node.address, tenant_id="probe", timeout=20) as client:
            await client.submit("Account", account, {"type": "open_account", "initial_balance": 0})
            while not leaving.is_set():
                started = time.monotonic()
                await client.submit("Account", account, {"type": "deposit", "amount": 1})
                took.append(time.monotonic() - started)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(leaving.wait(), 0.05)
            state = await client.get("Account", account)
            assert state.version == len(took) + 1

    probing = asyncio.create_task(probe())
    try:
        yield took
        while not took and not probing.done():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)
    finally:
        leaving.set()
        await probing


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition that nothing announces."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def memory_returns(node: NodeProcess, warm: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """After what is done within it, the node's memory comes back to within 20 % of before."""
    await warm()
    before = node.memory
    yield
    await until(lambda: node.memory < 1.2 * before)
