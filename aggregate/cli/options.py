"""Options that several commands take, and the client that they make."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, get_type_hints

import typer

from aggregate.client import AggregateClient, Tls

Node = Annotated[str, typer.Option("--node", envvar="AGGREGATE_GRPC_ADDRESS", help="host:port of the node's gRPC server.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Tenant, sent as x-tenant-id.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds to wait for the answer.")]
Tokens = Annotated[
    str, typer.Option("--token", envvar="AGGREGATE_TOKEN", help="Bearer token, where the node asks for one.", show_envvar=True)
]
UseTls = Annotated[bool, typer.Option("--tls", help="Speak TLS; the node's certificate is checked against well-known authorities.")]
TlsCa = Annotated[Path | None, typer.Option("--tls-ca", help="Speak TLS; PEM certificates that the node's is checked against.")]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", help="Speak TLS; PEM certificate shown to the node; with --tls-key.")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="PEM key of --tls-cert.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines, one document a line.")]
Type = Annotated[str, typer.Argument(metavar="TYPE", help="Aggregate type, like Account.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Aggregate id, a UUID.")]
ConfigPath = Annotated[
    Path | None, typer.Option("--config", help="Settings file; else AGGREGATE_CONFIG, aggregate.yaml or aggregate.toml here.")
]

DEFAULT_NODE = "127.0.0.1:50051"
DEFAULT_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a command reaches the node: its fields are options of every command that `connects`."""

    node: Node = DEFAULT_NODE
    tenant: Tenant = ""
    timeout: Timeout = DEFAULT_TIMEOUT
    token: Tokens = ""
    tls: UseTls = False
    tls_ca: TlsCa = None
    tls_cert: TlsCert = None
    tls_key: TlsKey = None

    def client(self) -> AggregateClient:
        """A client; within a running loop. Raises ConfigError."""
        tls = Tls(self.tls_ca, self.tls_cert, self.tls_key)
        wanted = self.tls or tls != Tls()
        return AggregateClient(self.node, tenant_id=self.tenant, timeout=self.timeout, token=self.token, tls=tls if wanted else None)


def connects(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose argument `connection` is given on the command line as the fields of a `Connection`."""
    hints = get_type_hints(Connection, include_extras=True)
    fields = inspect.signature(Connection).parameters
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name == "connection":
            parameters += [field.replace(annotation=hints[field.name]) for field in fields.values()]
        else:
            parameters.append(parameter)

    @wraps(command)
    def run(**given: object) -> None:
        own = {name: given.pop(name) for name in fields}
        command(**given, connection=Connection(**own))  # type: ignore[arg-type] # typer has made them what they are

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # what typer asks
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
