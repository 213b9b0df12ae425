"""`CommandServer`: the gRPC server of a node, with health service and reflection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_service  # type: ignore[attr-defined] # the type stubs do not know it
from grpc_reflection.v1alpha import reflection

from aggregate.config.settings import Settings
from aggregate.errors import ConfigError, Mistake
from aggregate.gateway.auth import Authenticator
from aggregate.gateway.calls import Calls
from aggregate.gateway.commands import CommandService, submit
from aggregate.gateway.events import EventService
from aggregate.gateway.health import HealthStatus
from aggregate.gateway.interface import Backend
from aggregate.gateway.memory import give_back
from aggregate.gateway.metadata import TENANT, TenantRules, read_metadata
from aggregate.gateway.methods import CheckedServer
from aggregate.gateway.query import QueryCounts, QueryService
from aggregate.gateway.routing import Router, Routing
from aggregate.gateway.subscriptions import Subscriptions
from aggregate.gateway.tls import ServerCertificates
from aggregate.proto import aggregate_pb2 as pb
from aggregate.proto import aggregate_pb2_grpc as pb_grpc
from aggregate.proto.messages import write_command
from aggregate.types import AggregateId, AggregateType, Command, Document, Receipt, TenantId, new_uuid7

SERVICES = tuple(service.full_name for service in pb.DESCRIPTOR.services_by_name.values())
MAX_MESSAGE = 4 * 2**20
"""Bytes of a request. One of SubmitCommands holds up to 256 commands; a single command is bounded by what NATS takes."""

LASTING_CALLS = 4096
"""Calls that last (subscriptions, streams, health watchers), beside MAX_IN_FLIGHT commands; what is beyond is refused unread."""

OPTIONS = (
    ("grpc.so_reuseport", 0),  # else a second node would share the port, and calls would go to either
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", -1),  # an answer is as long as what was stored
    ("grpc.max_concurrent_streams", 4096),
    ("grpc.keepalive_time_ms", 60_000),  # a caller who vanished without a word is found out
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # other nodes ask every 10 s
)


class CommandServer:
    """The gRPC server. Built before the node behind it is up: until then every call is told UNAVAILABLE."""

    def __init__(self, backend: Backend, settings: Settings, health: Callable[[], HealthStatus], routing: Routing | None = None) -> None:
        """Nothing is opened yet. `routing`: how calls for tenants of other nodes find them; None: every call is served here.

        Raises:
            ConfigError: tokens are asked for and their keys cannot be read.
        """
        rules = TenantRules(settings.multi_tenancy, settings.default_tenant)
        self._calls = Calls(
            backend,
            rules,
            settings.command_timeout,
            settings.attempt_max,
            Subscriptions(settings.quota_subscriptions),
            Authenticator.of_settings(settings),
            routing.ownership if routing is not None else None,
        )
        self._routing = routing
        self.queries = QueryCounts()
        self._settings = settings
        self._health = health
        self._health_service = health_service.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self._giving_back: asyncio.Task[None] | None = None
        self.port = 0

    @classmethod
    async def new_test(cls, **options: Any) -> CommandServer:
        """A running server around `AggregateHandler.new_test(**options)`, on a free port; `stop` it."""
        from aggregate.testing.servers import command_server  # noqa: PLC0415 - test machinery is not loaded in a node

        return await command_server(**options)

    @property
    def address(self) -> str:
        """host:port, the port being the real one once the server runs."""
        return str(self._settings.grpc._replace(port=self.port or self._settings.grpc.port))

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address cannot be had, or the TLS files cannot be read.
        """
        most = self._settings.max_in_flight + LASTING_CALLS
        server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=most)
        calls, routing = self._calls, self._routing
        checked = CheckedServer(
            server, (lambda service: Router(service, calls, routing)) if routing is not None else lambda service: service
        )
        pb_grpc.add_CommandServiceServicer_to_server(CommandService(calls), checked)  # type: ignore[no-untyped-call] # generated code
        pb_grpc.add_EventServiceServicer_to_server(EventService(calls), checked)  # type: ignore[no-untyped-call]
        pb_grpc.add_QueryServiceServicer_to_server(QueryService(calls, self.queries), checked)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health_service, server)
        reflection.enable_server_reflection(
            (*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME), server
        )
        self.port = self._listen(server)
        await self.set_serving(self._health().ready)
        await server.start()
        self._server = server
        self._giving_back = asyncio.create_task(give_back(), name="memory")

    async def set_serving(self, serving: bool) -> None:
        """Tell the health service's askers and watchers whether commands are taken now."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", *SERVICES):
            await self._health_service.set(service, status)

    def tenant_gone(self, tenant_id: TenantId) -> None:
        """Another node has the tenant: its streams of commands end here, and go on there."""
        if (gone := self._calls.gone.pop(tenant_id, None)) is not None:
            gone.set()

    async def stop(self, grace: float) -> None:
        """Take no more calls, end the lasting ones, give the others `grace` seconds."""
        self._calls.closing.set()
        if self._server is not None:
            await self._health_service.enter_graceful_shutdown()
            await self._server.stop(grace)
            self._server = None
        if self._giving_back is not None:
            self._giving_back.cancel()
            await asyncio.wait([self._giving_back])

    async def handle(self, command: Command) -> Receipt:
        """A command as its own tenant would send it, without the network. Raises what the call would end in."""
        return await self._handle(write_command(command), [(TENANT, command.tenant_id)])

    async def handle_with_headers(
        self, payload: Any, headers: Iterable[tuple[str, str]], *, aggregate_type: str = "Account", aggregate_id: str | None = None
    ) -> Receipt:
        """A payload (a Python value) as a new command, with these headers; without an id: on a new aggregate. Raises as `handle`."""
        return await self.handle_raw(Document.of(payload), headers, aggregate_type=aggregate_type, aggregate_id=aggregate_id)

    async def handle_raw(
        self, payload: Any, headers: Iterable[tuple[str, str]] = (), *, aggregate_type: str = "Account", aggregate_id: str | None = None
    ) -> Receipt:
        """A payload, whatever it is (a text is taken as it is), as a new command. Raises as `handle`."""
        text = payload if isinstance(payload, str) else Document.of(payload).text.decode()
        target = aggregate_id if aggregate_id is not None else AggregateId.new_v7()
        request = pb.SubmitCommandRequest(aggregate_type=AggregateType(aggregate_type), aggregate_id=target, payload=text)
        return await self._handle(request, headers)

    async def health_check(self) -> HealthStatus:
        """How the node is now."""
        return self._health()

    async def _handle(self, request: pb.SubmitCommandRequest, headers: Iterable[tuple[str, str]]) -> Receipt:
        call = read_metadata(headers, self._calls.rules)
        return await submit(self._calls, request, call, request.command_id or new_uuid7(), self._calls.deadline())

    def _listen(self, server: grpc.aio.Server) -> int:
        settings = self._settings
        address = settings.grpc
        probe = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
        with contextlib.closing(probe):
            # gRPC says neither why nor in one line that it cannot listen.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise _config_error("grpc_address", f"cannot listen on {settings.grpc_address}: {error.strerror or error}") from error
        try:
            if settings.tls_cert is None or settings.tls_key is None:
                return server.add_insecure_port(str(address))
            certificates = ServerCertificates(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
            return server.add_secure_port(str(address), certificates.credentials())
        except RuntimeError as error:
            raise _config_error("grpc_address", f"cannot listen on {settings.grpc_address}: {error}") from error


def _config_error(setting: str, message: str) -> ConfigError:
    return ConfigError([Mistake(setting, message)])
