"""`AdminServer`: the HTTP side of a node, for those who run it: health, readiness, metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, web

from aggregate.config.settings import Settings
from aggregate.errors import ConfigError, Mistake
from aggregate.gateway.health import HealthStatus

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class AdminResponse:
    """An answer of the admin server."""

    status: int
    text: str

    def json(self) -> Any:
        """The body as a JSON value."""
        return json.loads(self.text)


class AdminServer:
    """The HTTP server. Answers as soon as it listens, long before the node is ready, and until the very end.

    `/health` is 200 as long as the node can answer at all: whoever restarts what is unhealthy must not restart a node because NATS is
    away. What is missing stands in the body. `/ready` is 503 with the reasons while the node takes no commands.
    """

    def __init__(self, settings: Settings, health: Callable[[], HealthStatus], metrics: Callable[[], bytes]) -> None:
        self._settings = settings
        self._health = health
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self.port = 0

    @classmethod
    async def new_test(cls, **options: Any) -> AdminServer:
        """A running server around `AggregateHandler.new_test(**options)`, on a free port; `stop` it."""
        from aggregate.testing.servers import admin_server  # noqa: PLC0415 - test machinery is not loaded in a node

        return await admin_server(**options)

    @property
    def address(self) -> str:
        """host:port, the port being the real one once the server runs."""
        return str(self._settings.admin._replace(port=self.port or self._settings.admin.port))

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address cannot be had.
        """
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes([web.get("/health", self._get_health), web.get("/ready", self._get_ready), web.get("/metrics", self._get_metrics)])
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        host, port = self._settings.admin
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            what = error.strerror or str(error)
            raise ConfigError([Mistake("admin_address", f"cannot listen on {self._settings.admin_address}: {_why(what)}")]) from error
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Answer no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def get(self, path: str) -> AdminResponse:
        """What the running server answers to a GET, asked over HTTP like anybody would."""
        async with ClientSession() as session, session.get(f"http://{self.address}{path}") as response:
            return AdminResponse(response.status, await response.text())

    async def _get_health(self, _: web.Request) -> web.Response:
        return web.json_response(self._health().to_dict())

    async def _get_ready(self, _: web.Request) -> web.Response:
        status = self._health()
        told = {"ready": status.ready, "reasons": list(status.reasons), "durability": status.durability}
        if status.warnings:
            told["warnings"] = list(status.warnings)
        return web.json_response(told, status=200 if status.ready else 503)

    async def _get_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": METRICS_TYPE})


def _why(text: str) -> str:
    """The event loop wraps the system's words into its own: `error while attempting to bind on address (...): address already in use`."""
    why = text.rpartition(": ")[2]
    return why[:1].upper() + why[1:]
