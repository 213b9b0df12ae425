"""The client commands of the command line: how they reach a node that asks for TLS and tokens."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from aggregate.config import Settings
from tests.cli.processes import environment

from .conftest import FakeHandler, Gateway
from .test_auth import AUDIENCE, ISSUER, Issuer
from .test_tls import Certificate, make_certificate

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with the program of package openssl")


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "keys.json")


@pytest.fixture
def settings(certificate: Certificate, issuer: Issuer) -> Settings:
    return Settings(
        grpc_address="127.0.0.1:0",
        tls_cert=certificate.cert,
        tls_key=certificate.key,
        tls_client_ca=certificate.cert,
        auth_jwks=issuer.path,
        auth_issuer=ISSUER,
        auth_audience=AUDIENCE,
    )


async def aggregate(*arguments: str, **env: str) -> tuple[int, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aggregate", *arguments, stdout=pipe, stderr=pipe, env=environment(**env)
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode() or err.decode()


async def test_submit_with_certificate_and_token(
    gateway: Gateway, handler: FakeHandler, certificate: Certificate, issuer: Issuer, tmp_path: Path
) -> None:
    submit = ("submit", "Account", "new", '{"type":"deposit"}', "--node", gateway.server.address, "--json")
    cert, key = str(certificate.cert), str(certificate.key)
    tls = ("--tls-ca", cert, "--tls-cert", cert, "--tls-key", key)
    code, told = await aggregate(*submit, *tls, "--tenant", "acme", AGGREGATE_TOKEN=issuer.token())
    assert (code, json.loads(told)["tenant_id"]) == (0, "acme")
    (seen,) = handler.seen
    assert seen[0].tenant_id == "acme"

    code, told = await aggregate(*submit, *tls, "--tenant", "globex", "--token", issuer.token())
    assert (code, json.loads(told)["error"]["status"]) == (1, "PERMISSION_DENIED")
    code, told = await aggregate(*submit, "--tls-ca", cert, "--tls-key", key)
    assert (code, json.loads(told)["error"]["code"]) == (3, "config")
    code, told = await aggregate(*submit, "--tls", "--timeout", "2")
    assert (code, json.loads(told)["error"]["status"]) == (4, "UNAVAILABLE")
