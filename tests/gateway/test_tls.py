"""TLS: a certificate of the server, and one of the client where it is asked for."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from aggregate.client import AggregateClient
from aggregate.config.settings import Settings
from aggregate.errors import Unavailable
from aggregate.types import AggregateId

from .conftest import Gateway

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with the program of package openssl")

DEPOSIT = {"type": "deposit", "amount": 1}


@dataclass
class Certificate:
    cert: Path
    key: Path


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """Self-signed, for localhost; its own authority."""
    made = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", made.key, "-out", made.cert], check=True, capture_output=True)
    return made


@pytest.fixture(params=[False, True], ids=["server", "both"])
def mutual(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def settings(certificate: Certificate, mutual: bool) -> Settings:
    authority = certificate.cert if mutual else None
    return Settings(grpc_address="127.0.0.1:0", tls_cert=certificate.cert, tls_key=certificate.key, tls_client_ca=authority)


@pytest.fixture
async def client(gateway: Gateway, certificate: Certificate, mutual: bool) -> AsyncIterator[AggregateClient]:
    root, own = certificate.cert.read_bytes(), (certificate.key.read_bytes(), certificate.cert.read_bytes())
    credentials = grpc.ssl_channel_credentials(root, *(own if mutual else (None, None)))
    async with AggregateClient(gateway.server.address, credentials=credentials) as made:
        yield made


async def test_a_client_that_knows_the_certificate_is_served(client: AggregateClient) -> None:
    assert (await client.submit("Account", AggregateId.new_v7(), DEPOSIT)).version == 1


async def test_a_client_without_tls_is_not(gateway: Gateway) -> None:
    async with gateway.client() as plain:
        with pytest.raises(Unavailable):
            await plain.submit("Account", AggregateId.new_v7(), DEPOSIT, timeout=5)


async def test_a_client_without_certificate_is_not_where_one_is_asked_for(gateway: Gateway, certificate: Certificate, mutual: bool) -> None:
    credentials = grpc.ssl_channel_credentials(certificate.cert.read_bytes())
    async with AggregateClient(gateway.server.address, credentials=credentials) as bare:
        if mutual:
            with pytest.raises(Unavailable):
                await bare.submit("Account", AggregateId.new_v7(), DEPOSIT, timeout=5)
        else:
            assert (await bare.submit("Account", AggregateId.new_v7(), DEPOSIT)).version == 1
