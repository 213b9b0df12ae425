"""Rules between settings, and between settings and the machine: pure of where the values came from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aggregate.config.settings import Settings

READ_FILES = (
    "peer_tls_ca",
    "nats_credentials",
    "nats_tls_ca",
    "nats_tls_cert",
    "nats_tls_key",
    "tls_cert",
    "tls_key",
    "tls_client_ca",
    "auth_jwks",
    "placement_file",
)
PAIRS = (("tls_cert", "tls_key"), ("nats_tls_cert", "nats_tls_key"))


def check_settings(settings: Settings) -> Iterator[tuple[str, str]]:
    """(setting, what is wrong) of everything that no single value shows."""
    if not settings.nats_url:
        yield "nats_url", "is required: the NATS servers, like nats://localhost:4222"
    yield from _files(settings)
    for one, other in PAIRS:
        if (getattr(settings, one) is None) != (getattr(settings, other) is None):
            missing, given = (other, one) if getattr(settings, other) is None else (one, other)
            yield missing, f"is required with {given.upper()}"
    if settings.tls_client_ca is not None and settings.tls_cert is None:
        yield "tls_client_ca", "needs TLS_CERT and TLS_KEY: without TLS no client shows a certificate"
    for name in ("auth_issuer", "auth_audience"):
        if (settings.auth_jwks is not None) != bool(getattr(settings, name)):
            missing, given = (name, "auth_jwks") if settings.auth_jwks is not None else ("auth_jwks", name)
            yield missing, f"is required with {given.upper()}"
    if settings.attempt_max > settings.refusal_ttl / 4:
        most = f"a quarter of REFUSAL_TTL ({settings.refusal_ttl / 4:g} s)"
        yield "attempt_max", f"is {settings.attempt_max:g} s, expected at most {most}: a refusal must outlive every attempt"
    yield from _nats_identity(settings)
    if settings.aggregates is not None and settings.manifest is not None:
        yield "manifest", "is given beside `aggregates` in the settings file; give one of them"
    if settings.grpc.port and settings.grpc == settings.admin:
        yield "admin_address", f"is the same as GRPC_ADDRESS ({settings.grpc_address})"


def _files(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in READ_FILES:
        path: Path | None = getattr(settings, name)
        if path is not None and not path.is_file():
            yield name, f"{path} is no file"
    folder = settings.storage_path
    blocking = next((each for each in (folder, *folder.parents) if each.exists()), None)
    if blocking is not None and not blocking.is_dir():
        yield "storage_path", f"{blocking} is no folder"
    if settings.logger_socket is not None and settings.logger_socket.is_dir():
        yield "logger_socket", f"{settings.logger_socket} is a folder, expected a socket"


def _nats_identity(settings: Settings) -> Iterator[tuple[str, str]]:
    """NATS takes one way of saying who we are."""
    ways = {
        "nats_user": bool(settings.nats_user),
        "nats_token": bool(settings.nats_token.get_secret_value()),
        "nats_credentials": settings.nats_credentials is not None,
        "nats_nkey_seed": bool(settings.nats_nkey_seed.get_secret_value()),
    }
    given = [name for name, used in ways.items() if used]
    if len(given) > 1:
        yield given[1], f"is given beside {given[0].upper()}; NATS takes one of them"
    if bool(settings.nats_user) != bool(settings.nats_password.get_secret_value()):
        yield ("nats_password", "is required with NATS_USER") if settings.nats_user else ("nats_user", "is required with NATS_PASSWORD")
