"""Who we are to a server: each way lets us in, a wrong one is said and tried again, an unusable one is a mistake in the settings."""

from __future__ import annotations

import asyncio
import base64
import binascii
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aggregate.config import Settings
from aggregate.errors import ConfigError
from aggregate.stream import StreamClient
from aggregate.stream.identity import Identity
from aggregate.testing.nats import EmbeddedNats


def _nkey_seed() -> str:
    raw = bytes([(18 << 3) | (20 << 3 >> 5), (20 << 3 & 0b11111) << 3]) + bytes(range(32))
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


@pytest.mark.parametrize(
    ("authorization", "identity"),
    [
        ({"user": "a", "password": "secret"}, Identity(user="a", password="secret")),
        ({"token": "secret"}, Identity(token="secret")),
    ],
)
async def test_a_server_lets_us_in(authorization: dict[str, Any], identity: Identity) -> None:
    async with EmbeddedNats(extra={"authorization": authorization}) as nats:
        client = await StreamClient.connect([nats.url], identity=identity)
        assert client.health().ready
        await client.close()
        client = await StreamClient.connect([nats.url])
        assert "Authorization Violation" in client.reasons()[0]
        await client.close()


async def test_user_and_password_in_the_url() -> None:
    async with EmbeddedNats(extra={"authorization": {"user": "a b", "password": "p@ss"}}) as nats:
        client = await StreamClient.connect([nats.url.replace("//", "//a%20b:p%40ss@")])
        assert client.health().ready
        assert "p%40ss" not in repr(client.health())
        await client.close()


async def test_an_nkey_seed() -> None:
    pytest.importorskip("cryptography", reason="the extra `auth`")
    seed = _nkey_seed()
    public = Identity(nkey_seed=seed).options("nats://h", {"nonce": "n"})["nkey"]
    assert seed.startswith("SU")
    assert public.startswith("U")
    async with EmbeddedNats(extra={"authorization": {"users": [{"nkey": public}]}}) as nats:
        client = await StreamClient.connect([nats.url], identity=Identity(nkey_seed=seed))
        assert client.health().ready
        await client.close()


def test_a_credentials_file(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="the extra `auth`")
    path = tmp_path / "user.creds"
    seed = _nkey_seed()
    path.write_text(
        "-----BEGIN NATS USER JWT-----\nabc.def.ghi\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    options = Identity(credentials=path).options("nats://h", {"nonce": "n"})
    assert options["jwt"] == "abc.def.ghi"
    assert options["sig"] == Identity(nkey_seed=seed).options("nats://h", {"nonce": "n"})["sig"]


async def test_an_unusable_identity_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="the extra `auth`")
    empty = tmp_path / "empty.creds"
    empty.write_text("nothing")
    for identity in (
        Identity(credentials=tmp_path / "none"),
        Identity(credentials=empty),
        Identity(nkey_seed="SUAB"),
        Identity(nkey_seed="x"),
    ):
        with pytest.raises(ConfigError):
            await StreamClient.connect(["nats://127.0.0.1:1"], identity=identity)


def test_secrets_do_not_show() -> None:
    assert "secret" not in repr(Identity(user="a", password="secret", token="secret", nkey_seed="secret"))


async def test_tls_with_the_servers_own_authority(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the program openssl (package openssl)")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    async with EmbeddedNats(extra={"tls": {"cert_file": str(certificate), "key_file": str(key)}}) as nats:
        client = await StreamClient.of_settings(Settings(nats_url=nats.url, nats_tls_ca=certificate))
        assert client.health().ready
        await client.close()
        client = await StreamClient.connect([nats.url])
        assert "certificate" in client.reasons()[0].lower()
        await client.close()
    with pytest.raises(ConfigError, match="certificates"):
        await StreamClient.of_settings(Settings(nats_url="nats://h", nats_tls_ca=tmp_path / "none"))
