"""`RunningQueries`: a projection, what asks it and what listens to it, put together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from aggregate.config import Settings
from aggregate.engine import Engine
from aggregate.errors import AggregateError
from aggregate.query.client import QueryClient
from aggregate.query.definitions import Definitions
from aggregate.query.live import LiveQueries
from aggregate.query.projection import Projection, ProjectionOptions
from aggregate.query.status import ProjectionStatus
from aggregate.runtime import ProgramSet
from aggregate.stream.events import EventStream
from aggregate.types import TenantId


class RunningQueries:
    """The query side of a node.

    Attributes:
        client: answers queries and live ones.
    """

    def __init__(
        self,
        folder: Path,
        programs: ProgramSet,
        stream: EventStream,
        engine: Engine,
        settings: Settings | None = None,
        **options: Unpack[ProjectionOptions],
    ) -> None:
        """`folder`: of the projections; `options`: see `Projection`. Raises ConfigError: a projection in the manifest is wrong."""
        given = settings if settings is not None else Settings()
        self.projection = Projection(folder, Definitions.of(programs), stream, engine, **options)
        self.live = LiveQueries(self.projection, buffer_bytes=given.watch_buffer)
        self.client = QueryClient(
            self.projection,
            secret=given.page_secret.get_secret_value().encode(),
            gas=given.gas_query,
            timeout=given.command_timeout,
            live=self.live,
        )

    @property
    def status(self) -> ProjectionStatus:
        """How the projection is."""
        return self.projection.status()

    def start(self) -> None:
        """Begin to follow the log."""
        self.projection.start()

    def placement_changed(self, ended: Callable[[TenantId], AggregateError | None]) -> None:
        """Tenants may have come and gone. `ended`: what live queries of one end in here and now, None: they go on."""
        self.projection.tenants_changed()
        for tenant_id in self.live.tenants:
            if (error := ended(tenant_id)) is not None:
                self.live.end(tenant_id, error)

    async def close(self) -> None:
        """End live queries, stop following."""
        await self.live.close()
        await self.projection.stop()
