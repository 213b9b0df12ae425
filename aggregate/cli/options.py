"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Node = Annotated[str, typer.Option("--node", envvar="AGGREGATE_GRPC_ADDRESS", help="host:port of the node's gRPC server.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Tenant, sent as x-tenant-id.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds to wait for the answer.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines, one document a line.")]
Type = Annotated[str, typer.Argument(metavar="TYPE", help="Aggregate type, like Account.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Aggregate id, a UUID.")]
ConfigPath = Annotated[
    Path | None, typer.Option("--config", help="Settings file; else AGGREGATE_CONFIG, aggregate.yaml or aggregate.toml here.")
]

DEFAULT_NODE = "127.0.0.1:50051"
DEFAULT_TIMEOUT = 10.0
