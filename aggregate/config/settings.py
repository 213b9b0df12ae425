"""`Settings`: everything a node can be told, from the environment over a file over defaults.

Each setting is `AGGREGATE_<NAME>` in the environment and `<name>` (lower case) in `aggregate.yaml` or `aggregate.toml`. The description
of a field is its documentation: `docs/settings.md` and the JSON Schema are made from it. All mistakes are found in one go.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field, InstanceOf, WithJsonSchema
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from aggregate.config.checks import check_settings
from aggregate.config.fields import Address, Bytes, HostPort, Monitors, Seconds, Secret, Servers, Tenant, hide_password, parse_address
from aggregate.config.manifest import AggregateManifest
from aggregate.config.mistakes import mistakes_of
from aggregate.config.sources import Gathered, gather, given_sources
from aggregate.errors import ConfigError, Mistake
from aggregate.types import TenantId

GAS_CAP = 10_000_000
"""No limit may be above this: 10 million units take about a second."""


class Settings(BaseSettings):
    """A node's settings. Frozen; `copy.copy` is cheap. Secrets and passwords in URLs are not printed.

    `Settings()` and `Settings(name=value, ...)` take what is given and nothing else; `Settings.load` also reads environment and file.

    Raises:
        ConfigError: a given value is of the wrong form, or a name is unknown.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True, arbitrary_types_allowed=True)

    # the log
    nats_url: Servers = Field("", description="NATS servers, separated by commas. The only setting that must be given.")
    nats_user: str = Field("", description="User name for NATS.")
    nats_password: Secret = Field(Secret(""), description="Password for NATS.")
    nats_token: Secret = Field(Secret(""), description="Token for NATS.")
    nats_credentials: Path | None = Field(None, description="Path of a NATS credentials file (`.creds`).")
    nats_nkey_seed: Secret = Field(Secret(""), description="NKey seed for NATS.")
    nats_tls_ca: Path | None = Field(
        None, description="Path of the PEM certificates that the NATS servers' certificates are checked against."
    )
    nats_tls_cert: Path | None = Field(None, description="Path of the PEM certificate shown to NATS; with NATS_TLS_KEY.")
    nats_tls_key: Path | None = Field(None, description="Path of the PEM key of NATS_TLS_CERT.")
    nats_monitors: Monitors = Field(
        "",
        description="Monitoring URLs of the NATS servers, separated by commas: there a node reads how often they write through to the "
        "disk, where its account may not ask them.",
    )
    stream_replicas: int = Field(
        1, ge=1, le=5, description="Replicas of the stream and of the key-value buckets when the node creates them."
    )
    durability: Literal["strict", "warn"] = Field(
        "warn",
        description="What a store that promises less than the durability contract leads to: `strict` refuses to start, `warn` says so.",
    )
    breaker_threshold: int = Field(5, ge=1, description="Failures in a row after which a breaker (log, storage) opens.")
    breaker_reset: Seconds = Field(5.0, gt=0, description="Time after which an open breaker lets one attempt through.")

    # storage and memory
    storage_path: Path = Field(Path("./data"), description="Folder of snapshots and projections. Losing it loses no fact.")
    cache_bytes: Bytes = Field(256 * 2**20, description="Memory for aggregates kept ready; 0 keeps none.")
    snapshot_threshold: int = Field(
        100, ge=1, le=1_000_000, description="Events after which a new snapshot is written, unless the manifest says otherwise."
    )
    snapshot_bytes: Bytes = Field(
        256 * 2**10, description="Likewise, bytes of messages after the last snapshot; 0: however many. Whichever comes first counts."
    )
    snapshot_age: Seconds = Field(
        600.0,
        description="Likewise, time that events of an aggregate in memory may wait for a snapshot, however few they are; 0: for ever.",
    )

    watch_buffer: Bytes = Field(
        2**20, description="Memory for changes that wait for one slow live query; one that is slower is told so and begins anew."
    )
    verify_interval: Seconds = Field(
        60.0, description="Time between two looks at whether what is kept of some aggregate is what its events make; 0: none."
    )

    # commands
    command_timeout: Seconds = Field(5.0, gt=0, description="Time for a command whose caller gave no deadline.")
    max_retries: int = Field(5, ge=0, le=1000, description="Times a command is decided again after somebody else wrote first.")
    retry_backoff: Seconds = Field(0.01, description="First pause before deciding again; doubles each time, with jitter.")
    gas_decide: int = Field(200_000, ge=1, le=GAS_CAP, description="Gas for one `decide`, unless the manifest says otherwise.")
    gas_apply: int = Field(100_000, ge=1, le=GAS_CAP, description="Gas for one event's `apply`, unless the manifest says otherwise.")
    refusal_ttl: Seconds = Field(3600.0, ge=4, description="How long the log keeps a refusal (whole seconds).")
    attempt_max: Seconds = Field(
        300.0, gt=0, description="Time after which an attempt of a command is given up; at most a quarter of REFUSAL_TTL."
    )
    gas_query: int = Field(50_000_000, ge=1, description="Gas that the filter of one query may use, over all rows it looks at.")
    max_in_flight: int = Field(4096, ge=1, description="Commands a node works on at once; one tenant alone gets at most half of them.")
    max_queue: int = Field(1024, ge=1, description="Commands that may wait for one aggregate.")

    # queries
    projection: bool = Field(
        True, description="Whether the node keeps the states of the types that the manifest projects, and answers queries."
    )
    projection_tenants: str = Field(
        "",
        pattern=r"^(\*|[A-Za-z0-9_-]+(,[A-Za-z0-9_-]+)*)?$",
        description="Whose rows the projection keeps: nodes, separated by commas, of whose tenants by the placement; `*`: of every tenant. "
        "Empty: of this node's tenants; of every tenant where it answers for all (ROUTING `serve`, ROLE `query`).",
    )
    role: Literal["node", "query"] = Field("node", description="`node` takes commands and answers queries; `query` answers queries alone.")
    page_secret: Secret = Field(
        Secret(""),
        description="Secret that page tokens are signed with, the same on all nodes; without it with what all nodes know anyway.",
    )

    # programs
    manifest: Path | None = Field(
        None, description="Path of the manifest; the shipped bank example where neither this nor `aggregates` is given."
    )
    aggregates: Annotated[AggregateManifest, InstanceOf(), WithJsonSchema({"type": "object"})] | None = Field(
        None, description="The manifest's `aggregates`, in the settings file itself."
    )
    engine: Literal["auto", "native", "pure"] = Field(
        "auto", description="The engine that runs programs; `native` refuses to start without it."
    )

    # tenants
    multi_tenancy: bool = Field(False, description="Whether a command must name its tenant.")
    default_tenant: Tenant = Field(TenantId(), description="The tenant of a command that names none.")
    aggregate_id_scope: Literal["global", "tenant"] = Field(
        "global", description="`global`: an aggregate id belongs to one tenant; `tenant`: each tenant has its own ids."
    )
    quota_commands: int = Field(0, ge=0, description="Commands a second for each tenant; 0: no limit.")
    quota_gas: int = Field(0, ge=0, description="Gas a second for each tenant; 0: no limit.")
    quota_in_flight: int = Field(0, ge=0, description="Commands at once for each tenant; 0: no limit.")
    quota_subscriptions: int = Field(0, ge=0, description="Live queries and subscriptions for each tenant; 0: no limit.")

    # the node and its servers
    node_id: str = Field(
        "", pattern=r"^[A-Za-z0-9_-]{0,64}$", description="Name of the node, of `A-Z a-z 0-9 _ -`; the host's name where it is empty."
    )
    grpc_address: Address = Field("127.0.0.1:50051", description="host:port of the gRPC server.")
    admin_address: Address = Field("127.0.0.1:8080", description="host:port of the admin HTTP server.")
    admin_token: Secret = Field(
        Secret(""), description="Bearer token for what changes state over admin HTTP; without one only loopback may."
    )
    tls_cert: Path | None = Field(None, description="Path of the PEM certificate of the gRPC server; with TLS_KEY.")
    tls_key: Path | None = Field(None, description="Path of the PEM key of TLS_CERT.")
    tls_client_ca: Path | None = Field(
        None, description="Path of the PEM certificates that clients' certificates are checked against (mutual TLS)."
    )
    auth_jwks: Path | None = Field(
        None,
        description="Path of a JSON Web Key Set. With it every call needs a bearer token (JWT) signed with one of its keys, "
        "whose claim `tenant` is the call's tenant. Read again when it changes. Needs the extra `auth`.",
    )
    auth_issuer: str = Field("", description="The issuer (`iss`) that tokens must name; with AUTH_JWKS.")
    auth_audience: str = Field("", description="The audience (`aud`) that tokens must be for; with AUTH_JWKS.")
    placement_file: Path | None = Field(
        None, description="Path of a placement document: used while the key-value bucket cannot be read, and put there where it is empty."
    )
    routing: Literal["forward", "redirect", "serve"] = Field(
        "forward",
        description="What becomes of a call for a tenant that is another node's: `forward` passes it on, `redirect` refuses it and names "
        "the node, `serve` serves it here.",
    )
    peer_tls_ca: Path | None = Field(
        None,
        description="Path of the PEM certificates that other nodes' certificates are checked against when calls are passed on; the "
        "system's where it is not given.",
    )
    drain_timeout: Seconds = Field(30.0, description="Time that a stopping node gives the commands in flight.")

    # what it tells
    change_notices: bool = Field(
        True, description="Whether a hint of each change goes out on core NATS, on `notify.<tenant>.<type>.<id>`; nobody keeps it."
    )
    service_name: str = Field("aggregate", min_length=1, max_length=128, description="Name in logs and traces.")
    environment: str = Field("development", min_length=1, max_length=128, description="Environment in logs and traces.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level of what is logged.")
    log_payloads: bool = Field(False, description="Whether log lines hold the payloads of commands, which may be confidential.")
    logger_socket: Path | None = Field(None, description="Path of a Unix socket that log lines also go to.")
    otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://[^\s]+)?$",
        description="URL of an OTLP gRPC collector for spans (`http://host:4317`); with the extra `otel`.",
    )
    metric_tenants: int = Field(1000, ge=0, description="Tenants with a metric label of their own; the rest are `other`.")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except pydantic.ValidationError as error:
            raise ConfigError(_mistakes(error, Gathered())) from error

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *others: Any, **more: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then what `load` gathered, if it is `load` that calls."""
        return (init_settings, *given_sources(settings_cls))

    @classmethod
    def load(cls, path: str | Path | None = None, env: Mapping[str, str] | None = None, **values: Any) -> Self:
        """Arguments over environment over file over defaults.

        Args:
            path: the file; else the one `AGGREGATE_CONFIG` names, else `aggregate.yaml` or `aggregate.toml` in the working folder, if any.
            env: the environment (None: the process's).
            values: settings given by the caller, such as options of a command line.

        Raises:
            ConfigError: everything that is wrong, what `validate` finds included.
        """
        return cls._checked(gather(cls, os.environ if env is None else env, path, search=True), values)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Environment over defaults (and over the file that `AGGREGATE_CONFIG` names, if it does).

        Raises:
            ConfigError: everything that is wrong, what `validate` finds included.
        """
        return cls._checked(gather(cls, os.environ if env is None else env, None, search=False), {})

    def validate(self) -> None:  # type: ignore[override]  # the name of the plan; pydantic's own is a deprecated classmethod
        """Look for what no single value can show: something missing, files that are not there, values that contradict each other.

        Raises:
            ConfigError: everything that is wrong.
        """
        mistakes = [Mistake(Gathered().place(key), message) for key, message in check_settings(self)]
        try:
            self.load_manifest()
        except ConfigError as error:
            mistakes += error.mistakes
        if mistakes:
            raise ConfigError(mistakes)

    @classmethod
    def _checked(cls, gathered: Gathered, values: dict[str, Any]) -> Self:
        """Settings from what was gathered; a wrong value is reported and left out, so that the rest is looked at too."""
        mistakes = list(gathered.mistakes)
        for name in values:
            gathered.places[name] = name
        bad = set(gathered.bad)
        with gathered.used_by(cls):
            try:
                settings = cls.__new__(cls)
                BaseSettings.__init__(settings, **values)
            except pydantic.ValidationError as error:
                mistakes += _mistakes(error, gathered)
                bad |= {str(complaint["loc"][0]) for complaint in error.errors()}
                gathered.drop(bad)
                settings = cls(**{name: value for name, value in values.items() if name not in bad})
        mistakes += [Mistake(gathered.place(key), message) for key, message in check_settings(settings) if key not in bad]
        if not bad & {"manifest", "aggregates"}:
            try:
                settings.load_manifest()
            except ConfigError as error:
                mistakes += error.mistakes
        if mistakes:
            raise ConfigError(mistakes)
        return settings

    @classmethod
    def secret_names(cls) -> list[str]:
        """The settings that are never printed."""
        return [name for name, field in cls.model_fields.items() if field.annotation is Secret]

    @property
    def nats_servers(self) -> list[str]:
        """The servers of NATS_URL, one by one."""
        return [url for url in self.nats_url.split(",") if url]

    @property
    def monitor_urls(self) -> list[str]:
        """The URLs of NATS_MONITORS, one by one."""
        return [url for url in self.nats_monitors.split(",") if url]

    @property
    def node_name(self) -> str:
        """NODE_ID, or the host's name with `-` for what a node's name may not hold."""
        name = self.node_id or "".join(
            each if each.isascii() and (each.isalnum() or each in "_-") else "-" for each in socket.gethostname()
        )
        return name[:64] or "node"

    @property
    def grpc(self) -> HostPort:
        """GRPC_ADDRESS in its parts."""
        return parse_address(self.grpc_address)

    @property
    def admin(self) -> HostPort:
        """ADMIN_ADDRESS in its parts."""
        return parse_address(self.admin_address)

    @property
    def uses_example(self) -> bool:
        """Whether no manifest was given, so that the bank example serves."""
        return self.manifest is None and self.aggregates is None

    def load_manifest(self) -> AggregateManifest:
        """The manifest: from the settings file, from its own, or the bank example.

        Raises:
            ConfigError: everything that is wrong with it.
        """
        if self.aggregates is not None:
            return self.aggregates
        return AggregateManifest.bank() if self.manifest is None else AggregateManifest.load(self.manifest)

    def shown(self) -> dict[str, Any]:
        """The settings as JSON values, secrets as `***` (an unset one as ""), for people to look at."""
        values: dict[str, Any] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Secret):
                value = "***" if value.get_secret_value() else ""
            elif isinstance(value, AggregateManifest):
                value = sorted(value.aggregates)
            elif isinstance(value, Path):
                value = str(value)
            elif name in {"nats_url", "nats_monitors"}:
                value = hide_password(value)
            values[name] = value
        return values

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.shown().items())})"

    __str__ = __repr__


def _mistakes(error: pydantic.ValidationError, gathered: Gathered) -> list[Mistake]:
    return mistakes_of(error, gathered.place_of, lambda keys: Settings.model_fields, Settings.secret_names())
