"""TLS: a certificate of the server, and one of the client where it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aggregate.client import AggregateClient, Tls
from aggregate.config.settings import Settings
from aggregate.errors import ConfigError, Unavailable
from aggregate.types import AggregateId

from .conftest import Gateway

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with the program of package openssl")

DEPOSIT = {"type": "deposit", "amount": 1}


@dataclass
class Certificate:
    cert: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    """Self-signed, for localhost; its own authority."""
    folder.mkdir(exist_ok=True)
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", made.key, "-out", made.cert], check=True, capture_output=True)
    return made


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture(params=[False, True], ids=["server", "both"])
def mutual(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def settings(certificate: Certificate, mutual: bool) -> Settings:
    authority = certificate.cert if mutual else None
    return Settings(grpc_address="127.0.0.1:0", tls_cert=certificate.cert, tls_key=certificate.key, tls_client_ca=authority)


@pytest.fixture
async def client(gateway: Gateway, certificate: Certificate, mutual: bool) -> AsyncIterator[AggregateClient]:
    own = Tls(certificate.cert, certificate.cert, certificate.key) if mutual else Tls(certificate.cert)
    async with gateway.client(tls=own) as made:
        yield made


def replace(source: Path, target: Path) -> None:
    """As tools that renew certificates do it."""
    shutil.copy(source, target.with_suffix(".next"))
    os.replace(target.with_suffix(".next"), target)


async def submit(client: AggregateClient) -> int:
    return int((await client.submit("Account", AggregateId.new_v7(), DEPOSIT, timeout=5)).version)


async def test_a_client_that_knows_the_certificate_is_served(client: AggregateClient) -> None:
    assert await submit(client) == 1


async def test_a_client_without_tls_is_not(gateway: Gateway) -> None:
    async with gateway.client() as plain:
        with pytest.raises(Unavailable):
            await submit(plain)


async def test_a_client_without_certificate_is_not_where_one_is_asked_for(gateway: Gateway, certificate: Certificate, mutual: bool) -> None:
    async with gateway.client(tls=Tls(certificate.cert)) as bare:
        if mutual:
            with pytest.raises(Unavailable):
                await submit(bare)
        else:
            assert await submit(bare) == 1


async def test_a_new_certificate_is_shown_without_a_restart(gateway: Gateway, client: AggregateClient, certificate: Certificate) -> None:
    assert await submit(client) == 1
    new = make_certificate(certificate.cert.parent / "new")
    trusted = Tls(new.cert, new.cert, new.key)
    async with gateway.client(tls=trusted) as early:
        with pytest.raises(Unavailable):
            await submit(early)
    replace(new.key, certificate.key)  # between the two steps the pair does not fit: the old one goes on serving
    async with gateway.client(tls=trusted) as early:
        with pytest.raises(Unavailable):
            await submit(early)
    replace(new.cert, certificate.cert)
    async with gateway.client(tls=trusted) as later:
        assert await submit(later) == 1
    assert await submit(client) == 1, "a connection that stands is not asked again"


@pytest.mark.parametrize("damage", ["no certificate", ""])
async def test_a_damaged_certificate_leaves_the_old_one(
    gateway: Gateway, client: AggregateClient, certificate: Certificate, damage: str, mutual: bool
) -> None:
    known = make_certificate(certificate.cert.parent / "kept")
    shutil.copy(certificate.cert, known.cert)
    shutil.copy(certificate.key, known.key)
    certificate.cert.write_text(damage)
    assert await submit(client) == 1
    async with gateway.client(tls=Tls(known.cert, known.cert, known.key) if mutual else Tls(known.cert)) as again:
        assert await submit(again) == 1


def test_a_client_is_told_of_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.pem cannot be read"):
        Tls(tmp_path / "none.pem").credentials()
    with pytest.raises(ConfigError, match="together"):
        Tls(cert=tmp_path / "cert.pem").credentials()
