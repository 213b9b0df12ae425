"""Who we are to a NATS server: the members of CONNECT that say so."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from aggregate.errors import ConfigError, Mistake

_CREDENTIALS_PART = re.compile(r"-{3,}\s*BEGIN ([A-Z ]+?)\s*-{3,}\s*(\S+?)\s*-{3,}\s*END")
_SEED_SIZE = 36  # two bytes of prefix, 32 of seed, two of checksum


@dataclass(frozen=True, slots=True)
class Identity:
    """One way of saying who we are, or none. User and password may also stand in a server's URL, which then wins there.

    Attributes:
        credentials: path of a NATS credentials file (a JWT and an nkey seed).
        nkey_seed: an nkey seed on its own.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    credentials: Path | None = None
    nkey_seed: str = field(default="", repr=False)

    def options(self, url: str, info: Mapping[str, Any]) -> dict[str, Any]:
        """The members of CONNECT for the server at `url`, which said `info`.

        Raises:
            ConfigError: the credentials file or the seed is unusable, or the package that signs is not installed.
        """
        parts = urlsplit(url)
        if parts.username is not None and parts.password is not None:
            return {"user": unquote(parts.username), "pass": unquote(parts.password)}
        if parts.username is not None:
            return {"auth_token": unquote(parts.username)}
        if self.user:
            return {"user": self.user, "pass": self.password}
        if self.token:
            return {"auth_token": self.token}
        nonce = str(info.get("nonce", "")).encode()
        if self.credentials is not None:
            jwt, seed = _read_credentials(self.credentials)
            return {"jwt": jwt, "sig": _sign(seed, nonce)[0]}
        if self.nkey_seed:
            signature, public = _sign(self.nkey_seed, nonce)
            return {"nkey": public, "sig": signature}
        return {}

    def check(self) -> None:
        """Find out whether it can be used, before a server is there to ask.

        Raises:
            ConfigError: as for `options`.
        """
        self.options("nats://nowhere", {})


def _read_credentials(path: Path) -> tuple[str, str]:
    try:
        parts = dict(_CREDENTIALS_PART.findall(path.read_text()))
        return parts["NATS USER JWT"], parts["USER NKEY SEED"]
    except OSError as error:
        raise ConfigError([Mistake("nats_credentials", f"{path} cannot be read: {error.strerror}")]) from error
    except KeyError as error:
        raise ConfigError([Mistake("nats_credentials", f"{path} is no NATS credentials file: it has no part {error}")]) from error


def _sign(seed: str, nonce: bytes) -> tuple[str, str]:
    """Signature of `nonce` and public key, both as NATS writes them."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 (optional: extra `auth`)
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError([Mistake("nats_nkey_seed", "nkeys need the package cryptography: install the extra `auth`")]) from error
    raw = _unpack_seed(seed)
    key = Ed25519PrivateKey.from_private_bytes(raw[2:34])
    kind = ((raw[0] & 0b111) << 5) | (raw[1] >> 3)
    public = bytes([kind]) + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    packed = base64.b32encode(public + binascii.crc_hqx(public, 0).to_bytes(2, "little")).decode().rstrip("=")
    return base64.urlsafe_b64encode(key.sign(nonce)).decode().rstrip("="), packed


def _unpack_seed(seed: str) -> bytes:
    try:
        raw = base64.b32decode(seed.strip() + "=" * (-len(seed.strip()) % 8))
    except binascii.Error:
        raw = b""
    if len(raw) != _SEED_SIZE or binascii.crc_hqx(raw[:-2], 0).to_bytes(2, "little") != raw[-2:] or not seed.strip().startswith("S"):
        raise ConfigError([Mistake("nats_nkey_seed", "is no nkey seed (58 letters and digits that start with S)")])
    return raw
