"""`AdminServer`: the HTTP side of a node, for those who run it. What it serves is a table of routes (`route.py`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog
from aiohttp import web
from pydantic import TypeAdapter
from pydantic import ValidationError as Misfit

from aggregate.admin.access import check_access
from aggregate.admin.client import AdminResponse, ask
from aggregate.admin.errors import Refused, answer_of
from aggregate.admin.openapi import openapi_routes
from aggregate.admin.route import JSON, Answer, Asked, Route
from aggregate.config.settings import Settings
from aggregate.errors import AggregateError, ConfigError, Mistake, ValidationError

log = structlog.get_logger("aggregate.admin")

MAX_BODY = 64 * 1024


class AdminServer:
    """The HTTP server. Answers as soon as it listens, long before the node is ready, and until the very end."""

    def __init__(self, settings: Settings, routes: Iterable[Route]) -> None:
        """`routes`: of all groups together; `/openapi.json` is added."""
        self._settings = settings
        table = list(routes)
        self.routes = [*table, *openapi_routes(table)]
        """The whole table."""
        self._runner: web.AppRunner | None = None
        self.port = 0

    @classmethod
    async def new_test(cls, **options: Any) -> AdminServer:
        """A running server around `AggregateHandler.new_test(**options)`, on a free port; `stop` it."""
        from aggregate.testing.admin import AdminTestServer  # noqa: PLC0415 - test machinery is not loaded in a node

        return await AdminTestServer.running(**options)

    @property
    def address(self) -> str:
        """host:port, the port being the real one once the server runs."""
        return str(self._settings.admin._replace(port=self.port or self._settings.admin.port))

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address cannot be had.
        """
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_tell_errors])
        app.add_routes([web.route(route.method, route.path, self._served(route)) for route in self.routes])
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

    async def get(self, path: str, **headers: str) -> AdminResponse:
        """What the running server answers to a GET."""
        return await ask(self.address, "GET", path, headers=headers)

    async def post(self, path: str, body: Any, **headers: str) -> AdminResponse:
        """What it answers to a POST with a JSON body."""
        return await ask(self.address, "POST", path, body=body, headers=headers)

    def _served(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        """What aiohttp calls for a route: the rule of access, the body, the route itself, its answer."""

        async def serve(request: web.Request) -> web.Response:
            if route.changes:
                check_access(request.headers, self._settings.admin_token, self._settings.admin)
            for name, values in route.places.items():
                if request.match_info[name] not in values:
                    raise Refused(404, f"{name} is one of {', '.join(values)}")
            body = await _body(request, route.takes) if route.takes is not None else None
            return _response(await route.handle(Asked(body, dict(request.match_info), request.headers.get("Accept", ""))))

        return serve


async def _body(request: web.Request, takes: type) -> Any:
    """The JSON body as what the route takes.

    Raises:
        Refused: it is no JSON, or too large. ValidationError: it does not fit; names the place.
    """
    if request.content_type != JSON:
        raise Refused(415, f"send a JSON body with the header `Content-Type: {JSON}`")
    text = await request.read()
    try:
        return TypeAdapter(takes).validate_json(text)
    except Misfit as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise ValidationError(first["msg"], ".".join(map(str, first["loc"])) or "body") from None


def _response(answer: Answer, headers: dict[str, str] | None = None) -> web.Response:
    given = {"Content-Type": answer.content_type, "Cache-Control": "no-store", **(headers or {})}
    return web.Response(body=answer.encoded(), status=answer.status, headers=given)


@web.middleware
async def _tell_errors(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Every error as JSON of one form, aiohttp's own included."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return _response(answer_of(Refused(error.status, f"{request.method} {request.path}: {error.reason}"))[0], allowed)
    except (Refused, AggregateError) as error:
        return _response(*answer_of(error))
    except Exception as error:
        log.exception("defect while answering", path=request.path)
        return _response(*answer_of(error))


def _why(text: str) -> str:
    """The event loop wraps the system's words into its own: `error while attempting to bind on address (...): address already in use`."""
    why = text.rpartition(": ")[2]
    return why[:1].upper() + why[1:]
