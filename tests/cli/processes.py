"""`aggregate` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANY_PORTS = ("--grpc-port", "0", "--admin-port", "0", "--nats-port", "0")
ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGGREGATE_") or name == "AGGREGATE_ENGINE"}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


@dataclass
class Running:
    """A process and what its first line said."""

    process: asyncio.subprocess.Process
    first_line: str

    @property
    def ready(self) -> dict[str, Any]:
        return json.loads(self.first_line)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Ask it to stop; exit code and what else it wrote."""
        self.process.send_signal(how)
        out, err = await self.process.communicate()
        return await self.process.wait(), out.decode(), err.decode()


@asynccontextmanager
async def running(*arguments: str, cwd: Path, code: str | None = None, **env: str) -> AsyncIterator[Running]:
    """Start it and wait for its first line; killed on leaving if it still runs."""
    process = await spawn(*arguments, cwd=cwd, code=code, **env)
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        if not line:
            raise AssertionError(f"ended with {await process.wait()}: {(await process.communicate())[1].decode()}")
        yield Running(process, line)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def finished(*arguments: str, cwd: Path, code: str | None = None, **env: str) -> tuple[int, str, str]:
    """Run it to its end: exit code, standard output, standard error."""
    process = await spawn(*arguments, cwd=cwd, code=code, **env)
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return await process.wait(), out.decode(), err.decode()


async def spawn(*arguments: str, cwd: Path, code: str | None = None, **env: str) -> asyncio.subprocess.Process:
    start = ("-m", "aggregate") if code is None else ("-c", code)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, *start, *arguments, stdout=pipe, stderr=pipe, cwd=cwd, env=environment(**env)
    )
