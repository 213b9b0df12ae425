"""Who we are to a server: each way lets us in, a wrong one is said and tried again, an unusable one is a mistake in the settings."""

from __future__ import annotations

import asyncio
import base64
import json
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


def _nkey_seed(kind: str = "user", first: int = 0) -> str:
    nkeys = pytest.importorskip("nkeys", reason="the extra `auth`")
    prefix = {"operator": nkeys.PREFIX_BYTE_OPERATOR, "account": nkeys.PREFIX_BYTE_ACCOUNT, "user": nkeys.PREFIX_BYTE_USER}[kind]
    return str(nkeys.encode_seed(bytes(range(first, first + 32)), prefix).decode())


def _public(seed: str) -> str:
    nkeys = pytest.importorskip("nkeys", reason="the extra `auth`")
    return str(nkeys.from_seed(bytearray(seed.encode())).public_key.decode())


def _jwt(signer: str, subject: str, kind: str, *, storage: bool = False) -> str:
    """A claim of NATS about `subject`, signed with the seed `signer`."""
    import nkeys

    claim = {"jti": "x", "iat": 1, "iss": _public(signer), "sub": _public(subject), "name": kind, "nats": {"type": kind, "version": 2}}
    if kind == "account":
        unlimited = ["subs", "data", "payload", "imports", "exports", "conn", "leaf"]
        unlimited += ["mem_storage", "disk_storage", "streams", "consumer"] if storage else []
        claim["nats"]["limits"] = {"wildcards": True, **dict.fromkeys(unlimited, -1)}  # type: ignore[index]
    if kind == "user":
        claim["nats"] |= {"subs": -1, "data": -1, "payload": -1}  # type: ignore[operator]
    signed = ".".join(_packed(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, claim))
    return f"{signed}.{_packed(nkeys.from_seed(bytearray(signer.encode())).sign(signed.encode()))}"


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


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
    seed = _nkey_seed()
    public = _public(seed)
    async with EmbeddedNats(extra={"authorization": {"users": [{"nkey": public}]}}) as nats:
        client = await StreamClient.connect([nats.url], identity=Identity(nkey_seed=seed))
        assert client.health().ready
        await client.close()


async def test_a_credentials_file(tmp_path: Path) -> None:
    operator, account, user = (_nkey_seed(kind) for kind in ("operator", "account", "user"))
    path = tmp_path / "user.creds"
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\r\n{_jwt(account, user, 'user')}\r\n------END NATS USER JWT------\r\n\r\n"
        f"-----BEGIN USER NKEY SEED-----\r\n{user}\r\n------END USER NKEY SEED------\r\n"
    )
    trust: dict[str, Any] = {"operator": _jwt(operator, operator, "operator"), "resolver": "MEMORY"}
    system = _nkey_seed("account", 1)
    accounts = {_public(seed): _jwt(operator, seed, "account", storage=seed == account) for seed in (account, system)}
    trust |= {"resolver_preload": accounts, "system_account": _public(system)}
    async with EmbeddedNats(extra=trust) as nats:
        client = await StreamClient.connect([nats.url], identity=Identity(credentials=path))
        assert client.health().ready
        await client.close()


async def test_an_unusable_identity_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    pytest.importorskip("nkeys", reason="the extra `auth`")
    empty = tmp_path / "empty.creds"
    empty.write_text("nothing")
    for identity in (
        Identity(credentials=tmp_path / "none"),
        Identity(credentials=empty),
        Identity(nkey_seed="SUAB"),
        Identity(nkey_seed="x"),
        Identity(nkey_seed="é"),
        Identity(nkey_seed=_nkey_seed()[:-1] + "A"),
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
