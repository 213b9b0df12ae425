"""Bearer tokens: who has none, a wrong one, or one of another tenant, and keys that change."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from aggregate.config import Settings
from aggregate.errors import ConfigError, TenantAccessDenied, Unauthenticated
from aggregate.gateway import auth
from aggregate.gateway.auth import Authenticator
from aggregate.proto import aggregate_pb2 as pb
from aggregate.types import AggregateId, Command, TenantId

from .conftest import FakeHandler, Gateway

jwt = pytest.importorskip("jwt", reason="tokens need pyjwt (extra `auth`)")

ISSUER, AUDIENCE = "the issuer", "aggregate"
DEPOSIT = {"type": "deposit", "amount": 1}


class Issuer:
    """Makes keys and tokens, and keeps the public halves in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.rotate("one")

    def rotate(self, name: str) -> None:
        """One new key in place of all others."""
        self.keys = {name: ec.generate_private_key(ec.SECP256R1())}
        public = {each: jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True) for each, key in self.keys.items()}
        self.path.write_text(json.dumps({"keys": [{**key, "kid": each, "use": "sig", "alg": "ES256"} for each, key in public.items()]}))

    def token(self, *, header: dict[str, Any] | None = None, key: Any = None, algorithm: str = "ES256", **claims: Any) -> str:
        """A token of the newest key; a claim or header that is None is left out."""
        (name,) = self.keys
        good = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60, "tenant": "acme"}
        headers = {"kid": name} | (header or {})
        return str(
            jwt.encode(
                {each: value for each, value in (good | claims).items() if value is not None},
                self.keys[name] if key is None else key,
                algorithm,
                {each: value for each, value in headers.items() if value is not None},
            )
        )


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "keys.json")


@pytest.fixture
def settings(issuer: Issuer) -> Settings:
    return Settings(grpc_address="127.0.0.1:0", auth_jwks=issuer.path, auth_issuer=ISSUER, auth_audience=AUDIENCE)


@pytest.fixture
def authenticator(issuer: Issuer) -> Authenticator:
    return Authenticator(issuer.path, ISSUER, AUDIENCE)


def check(authenticator: Authenticator, token: str, tenant: str = "acme") -> None:
    authenticator.check([("authorization", f"Bearer {token}")], TenantId(tenant))


async def test_a_good_token_opens_the_tenant_it_names_and_no_other(gateway: Gateway, issuer: Issuer, handler: FakeHandler) -> None:
    async with gateway.client(tenant_id="acme", token=issuer.token()) as client:
        assert (await client.submit("Account", AggregateId.new_v7(), DEPOSIT)).tenant_id == "acme"
    async with gateway.client(tenant_id="globex", token=issuer.token()) as client:
        with pytest.raises(TenantAccessDenied, match="token"):
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT)
    async with gateway.client(token=issuer.token()) as client:  # a call for no tenant is no call for the token's
        with pytest.raises(TenantAccessDenied):
            await client.submit("Account", AggregateId.new_v7(), DEPOSIT)
    async with gateway.client(token=issuer.token(tenant="")) as client:
        assert (await client.submit("Account", AggregateId.new_v7(), DEPOSIT)).tenant_id == ""
    assert len(handler.seen) == 2


async def test_every_method_asks_for_the_token(gateway: Gateway, handler: FakeHandler) -> None:
    account = AggregateId.new_v7()

    async def first(results: AsyncIterator[Any]) -> None:
        await anext(results)

    asked = set()
    async with gateway.client(tenant_id="acme") as client:
        for method, call in {
            "SubmitCommand": lambda: client.submit("Account", account, DEPOSIT),
            "SubmitCommands": lambda: first(client.submit_many([Command.new_test(DEPOSIT)])),
            "ReadEvents": lambda: client.read_events("Account", account),
            "SubscribeEvents": lambda: first(client.subscribe()),
            "Get": lambda: client.get("Account", account),
        }.items():
            with pytest.raises(Unauthenticated, match="asks for a token"):
                await call()
            asked.add(method)
    assert not handler.seen
    assert not handler.followed
    methods = {method.name for service in pb.DESCRIPTOR.services_by_name.values() for method in service.methods}
    assert asked <= methods


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"nbf": 2**33},
        {"iss": "another issuer"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"tenant": None},
        {"tenant": ["acme"]},
        {"header": {"kid": "two"}},
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"key": "a shared secret that is long enough for HS256", "algorithm": "HS256"},
        {"key": "", "algorithm": "none"},
    ],
)
def test_a_wrong_token_is_refused(authenticator: Authenticator, issuer: Issuer, wrong: dict[str, Any]) -> None:
    check(authenticator, issuer.token(header={"kid": None}))  # one key needs no name
    with pytest.raises(Unauthenticated):
        check(authenticator, issuer.token(**wrong))


def test_the_public_key_is_no_secret_to_sign_with(authenticator: Authenticator, issuer: Issuer) -> None:
    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=")

    (public,) = json.loads(issuer.path.read_text())["keys"]
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60, "tenant": "acme"}
    signed = part({"alg": "HS256", "kid": public["kid"]}) + b"." + part(claims)
    for secret in (json.dumps(public).encode(), base64.urlsafe_b64decode(public["x"] + "=")):
        with pytest.raises(Unauthenticated):
            check(authenticator, (signed + b"." + part(hmac.digest(secret, signed, "sha256"))).decode())


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "Bearer")],
        [("authorization", "Bearer ")],
        [("authorization", "Basic YTpi")],
        [("authorization", b"Bearer \xff")],
        [("authorization", "Bearer x"), ("Authorization", "Bearer x")],
        [("authorization", "Bearer " + "x" * 10_000)],
    ],
)
def test_what_is_no_single_bearer_token_is_refused(authenticator: Authenticator, headers: list[tuple[str, str | bytes]]) -> None:
    with pytest.raises(Unauthenticated):
        authenticator.check(headers, TenantId("acme"))


@given(st.text(max_size=300))
def test_whatever_comes_as_a_token_is_refused_and_nothing_else_happens(tmp_path_factory: pytest.TempPathFactory, token: str) -> None:
    made = Authenticator(Issuer(tmp_path_factory.getbasetemp() / "fuzz.json").path, ISSUER, AUDIENCE)
    with pytest.raises(Unauthenticated):
        check(made, token)
    with pytest.raises(Unauthenticated):
        check(made, f"e30.{token}.e30")


def test_a_token_ends_although_it_was_good(authenticator: Authenticator, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    token = issuer.token()
    check(authenticator, token)
    check(authenticator, token)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60 + auth.LEEWAY + 1)
    monkeypatch.setattr(authenticator, "_claims", lambda _: (_ for _ in ()).throw(Unauthenticated("verified again")))
    with pytest.raises(Unauthenticated, match="verified again"):
        check(authenticator, token)


def test_keys_that_change_count_at_once_and_damaged_ones_never(
    authenticator: Authenticator, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "LOOK", 0.0)
    old = issuer.token()
    check(authenticator, old)
    for damage in ("", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}', "[1]"):
        issuer.path.write_text(damage)
        check(authenticator, old)
    issuer.path.unlink()
    check(authenticator, old)
    issuer.rotate("two")
    check(authenticator, issuer.token())
    with pytest.raises(Unauthenticated):
        check(authenticator, old)


@pytest.mark.parametrize("content", [None, "", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}'])
def test_a_node_does_not_start_without_keys(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match="auth_jwks"):
        Authenticator(path, ISSUER, AUDIENCE)


def test_issuer_and_audience_are_demanded_with_the_keys(issuer: Issuer) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(nats_url="nats://localhost:4222", auth_jwks=issuer.path, auth_issuer=ISSUER).validate()
    assert "AUTH_AUDIENCE" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        Settings(nats_url="nats://localhost:4222", auth_audience=AUDIENCE).validate()
    assert "AUTH_JWKS" in str(caught.value)
