"""`RunningQueries`: a projection, what asks it and what listens to it, put together."""

from __future__ import annotations

from pathlib import Path

from aggregate.engine import Engine
from aggregate.query.client import QueryClient
from aggregate.query.definitions import Definitions
from aggregate.query.live import LiveQueries
from aggregate.query.projection import Projection
from aggregate.runtime import ProgramSet
from aggregate.stream.events import EventStream


class RunningQueries:
    """The query side of a node.

    Attributes:
        client: answers queries and live ones.
    """

    def __init__(self, folder: Path, programs: ProgramSet, stream: EventStream, engine: Engine, *, watch_buffer: int = 1 << 20) -> None:
        """`folder`: of the projections. Raises ConfigError: a projection in the manifest is wrong."""
        self.projection = Projection(folder, Definitions.of(programs), stream, engine)
        self.live = LiveQueries(self.projection, buffer_bytes=watch_buffer)
        self.client = QueryClient(self.projection, live=self.live)

    def start(self) -> None:
        """Begin to follow the log."""
        self.projection.start()

    async def close(self) -> None:
        """End live queries, stop following."""
        await self.live.close()
        await self.projection.stop()
