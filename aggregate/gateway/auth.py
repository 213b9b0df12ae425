"""`Authenticator`: whose call it is, by the bearer token that came with it (JWT, RFC 7519), where the settings ask for one.

The keys are those of a JWKS file (RFC 7517). It is looked at again once a second at most, so keys can be changed without a restart; a new
file that cannot be used leaves the keys of the old one. Only signatures by a private key are believed: with a shared secret in the file
everybody who may read it could make tokens. A token that was verified is remembered until it ends, for verifying costs more than a
command; when the keys change, all are forgotten.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from aggregate.config.settings import Settings
from aggregate.errors import ConfigError, Mistake, TenantAccessDenied, Unauthenticated
from aggregate.types import TenantId

if TYPE_CHECKING:
    import jwt

log = structlog.get_logger("aggregate.gateway")

AUTHORIZATION = "authorization"
TENANT_CLAIM = "tenant"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY = 30.0
"""Seconds that the clocks of the issuer and of this node may be apart."""
LOOK = 1.0
REMEMBERED = 4096
LONGEST_TOKEN = 8 * 1024


class Authenticator:
    """Checks tokens against the keys of one file."""

    def __init__(self, keys: Path, issuer: str, audience: str) -> None:
        """Read the keys.

        Raises:
            ConfigError: the file holds none that can be used, or pyjwt is not installed.
        """
        try:
            import jwt  # noqa: PLC0415 - of the extra `auth`, wanted only here
        except ImportError as error:
            raise ConfigError([Mistake("auth_jwks", "needs pyjwt: install the extra `auth`")]) from error
        self._jwt = jwt
        self._path = keys
        self._issuer = issuer
        self._audience = audience
        self._verified: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._looked = time.monotonic()
        try:
            self._stamp = _stamp(keys)
            self._keys = self._read()
        except (OSError, ValueError) as error:
            raise ConfigError([Mistake("auth_jwks", str(error))]) from error

    @classmethod
    def of_settings(cls, settings: Settings) -> Authenticator | None:
        """The one that the settings ask for, None where they ask for none. Raises ConfigError."""
        if settings.auth_jwks is None:
            return None
        return cls(settings.auth_jwks, settings.auth_issuer, settings.auth_audience)

    def check(self, metadata: Iterable[tuple[str, str | bytes]], tenant_id: TenantId) -> None:
        """Check that a call with this metadata may be for the tenant.

        Raises:
            Unauthenticated: there is no token, or not a good one.
            TenantAccessDenied: it is another tenant's.
        """
        if self._tenant_of(_token(metadata)) != tenant_id:
            raise TenantAccessDenied(tenant_id, f"the token gives no access to tenant {str(tenant_id)!r}")

    def _tenant_of(self, token: str) -> str:
        self._look()
        known = self._verified.get(token)
        if known is not None and time.time() < known[1]:
            self._verified.move_to_end(token)
            return known[0]
        claims = self._claims(token)
        tenant = claims.get(TENANT_CLAIM)
        if not isinstance(tenant, str):
            raise Unauthenticated(f"the token has no claim {TENANT_CLAIM!r}")
        self._verified[token] = (tenant, float(claims["exp"]) + LEEWAY)
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return tenant

    def _claims(self, token: str) -> dict[str, Any]:
        jwt = self._jwt
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key_of(jwt.get_unverified_header(token)),
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.InvalidTokenError, ValueError, TypeError, ArithmeticError, NotImplementedError) as error:
            raise Unauthenticated(f"the token is not good: {error}") from error
        return claims

    def _key_of(self, header: dict[str, Any]) -> jwt.PyJWK:
        """The key that a token says it is signed with; without a name: the only one there is."""
        name = header.get("kid")
        if name is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        key = self._keys.get(name) if isinstance(name, str) else None
        if key is None:
            raise Unauthenticated("the token is signed with a key that this node does not know")
        return key

    def _look(self) -> None:
        """Read the file again where it has changed."""
        if time.monotonic() < self._looked + LOOK:
            return
        self._looked = time.monotonic()
        try:
            if (stamp := _stamp(self._path)) == self._stamp:
                return
            self._stamp = stamp
            self._keys = self._read()
        except (OSError, ValueError) as error:
            log.error(
                "the keys that tokens are checked with cannot be read anew; the old ones stay", file=str(self._path), error=str(error)
            )
        else:
            self._verified.clear()
            log.info("the keys that tokens are checked with were read anew", keys=len(self._keys))

    def _read(self) -> dict[str, jwt.PyJWK]:
        """The usable keys of the file by name. Raises OSError, ValueError."""
        jwt = self._jwt
        try:
            every = jwt.PyJWKSet.from_json(self._path.read_text()).keys
        except (jwt.PyJWTError, ValueError, AttributeError, TypeError) as error:
            raise ValueError(f"{self._path} is no JSON Web Key Set that can be used: {error}") from error
        keys = {key.key_id or "": key for key in every if key.algorithm_name in ALGORITHMS and key.public_key_use in {None, "sig"}}
        if not keys:
            raise ValueError(f"{self._path} holds no key for {', '.join(ALGORITHMS)}")
        return keys


def _token(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The bearer token among a call's metadata. Raises Unauthenticated."""
    given = [value for name, value in metadata if name.lower() == AUTHORIZATION]
    if not given:
        raise Unauthenticated("this node asks for a token: send metadata `authorization: Bearer <token>`")
    scheme, _, token = given[0].partition(" ") if isinstance(given[0], str) else ("", "", "")
    if len(given) > 1 or scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
        raise Unauthenticated("expected one `authorization: Bearer <token>`")
    return token


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes when a file does, whether it was written or replaced."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_size
