"""TLS of the gRPC server: certificates that can be changed without a restart.

gRPC asks for the files' newest contents at each handshake. They are read again only when one of them has changed, and taken only where
key and certificate belong together: whoever changes both does so one after the other, and in between the old pair goes on serving.
"""

from __future__ import annotations

import os
import ssl
import threading
from pathlib import Path

import grpc
import structlog

from aggregate.errors import ConfigError, Mistake

log = structlog.get_logger("aggregate.gateway")

Stamp = tuple[tuple[int, int, int], ...]


class ServerCertificates:
    """The server's certificate, its key and, for mutual TLS, the authorities of clients' certificates, as the files have them now."""

    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        """Read them.

        Raises:
            ConfigError: a file cannot be read, or they do not go together.
        """
        self._cert = cert
        self._key = key
        self._client_ca = client_ca
        self._lock = threading.Lock()
        try:
            self._seen = self._stamp()
            self._configuration = self._read()
        except (OSError, ValueError) as error:
            raise ConfigError([Mistake("tls_cert", f"TLS cannot be set up: {error}")]) from error

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials that follow the files."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration,
            self._newest,  # type: ignore[arg-type] # the type stubs do not know that None means "as before"
            require_client_authentication=self._client_ca is not None,
        )

    def _newest(self) -> grpc.ServerCertificateConfiguration | None:
        """What is new since it was last asked for, None where nothing is. Called by gRPC, on threads of its own."""
        with self._lock:
            try:
                if (stamp := self._stamp()) == self._seen:
                    return None
                self._seen = stamp
                self._configuration = self._read()
            except (OSError, ValueError) as error:
                log.error("the certificate cannot be read anew; the old one stays", error=str(error))
                return None
            log.info("the certificate was read anew", file=str(self._cert))
            return self._configuration

    def _read(self) -> grpc.ServerCertificateConfiguration:
        """Raises OSError, ValueError."""
        cert, key = self._cert.read_bytes(), self._key.read_bytes()
        authorities = self._client_ca.read_bytes() if self._client_ca is not None else None
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._cert, self._key, password=_no_password)
            if self._client_ca is not None:
                context.load_verify_locations(self._client_ca)
        except ssl.SSLError as error:
            files = ", ".join(str(path) for path in (self._cert, self._key, self._client_ca) if path is not None)
            raise ValueError(f"{files} cannot be used together: {error.reason or error}") from error
        return grpc.ssl_server_certificate_configuration([(key, cert)], root_certificates=authorities)

    def _stamp(self) -> Stamp:
        """What changes when one of the files does. Raises OSError."""
        found = [os.stat(path) for path in (self._cert, self._key, self._client_ca) if path is not None]
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def _no_password() -> str:
    """Else OpenSSL would ask at the terminal."""
    raise ValueError("the key is encrypted; gRPC takes one that is not")
