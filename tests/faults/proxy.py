"""A TCP proxy on loopback that can be as bad as a network: hold, lose, half-close, cut, refuse."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from .frames import FrameCounter, Meter

CHUNK = 1 << 16


class Direction:
    """One way through the proxy: bytes flow, are held up, or are lost."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.losing = False

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def passes(self) -> bool:
        """Wait while held up; whether what comes now goes on (else it is lost)."""
        await self._open.wait()
        return not self.losing


class Proxy:
    """Listens on a port of its own and passes connections on to `target`, which may change (a restarted process has other ports).

    Attributes:
        up, down: the ways to the target and back.
        meter: counts what passes, where it speaks NATS.
    """

    def __init__(self, target: tuple[str, int] | None = None, meter: Meter | None = None) -> None:
        self.target = target
        self.up = Direction()
        self.down = Direction()
        self.meter = meter
        self.port = 0
        self._refusing = False
        self._server: asyncio.Server | None = None
        self._connections: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._connections)

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.heal()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> int:
        """Reset every connection; returns how many there were."""
        cut = len(self._connections)
        for pair in list(self._connections):
            for writer in pair:
                writer.transport.abort()
        return cut

    def hold(self) -> None:
        """Hold up both ways."""
        self.up.hold()
        self.down.hold()

    def half_close(self) -> None:
        """Tell the target that nothing more comes, while the way back stays open."""
        for _, writer in self._connections:
            with contextlib.suppress(OSError, RuntimeError):
                writer.write_eof()

    def refuse(self) -> None:
        """Reset every connection, new ones at once."""
        self._refusing = True
        self.cut()

    def heal(self) -> None:
        """As a network should be. What was lost is lost: connections it was lost on are cut."""
        self._refusing = False
        if self.up.losing or self.down.losing:
            self.cut()
        for direction in (self.up, self.down):
            direction.losing = False
            direction.release()

    def _counter(self) -> Callable[[bytes], None]:
        return FrameCounter(self.meter).feed if self.meter is not None else _ignore

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self._refusing or self.target is None:
                raise ConnectionRefusedError
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, far_writer)
        self._connections.add(pair)
        try:
            ways = [
                asyncio.create_task(_pass(reader, far_writer, self.up, self._counter())),
                asyncio.create_task(_pass(far_reader, writer, self.down, self._counter())),
            ]
            try:
                await asyncio.wait(ways)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._connections.discard(pair)
            for each in pair:
                each.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction, count: Callable[[bytes], None]) -> None:
    """Pass bytes on until one side ends; an orderly end is passed on too, a reset is one for both."""
    try:
        while data := await reader.read(CHUNK):
            if await way.passes():
                count(data)
                writer.write(data)
                await writer.drain()
        await way.passes()
        if writer.can_write_eof():
            writer.write_eof()
    except (OSError, RuntimeError):
        writer.transport.abort()


def _ignore(_: bytes) -> None:
    """Nobody counts."""
