"""Who we are to a NATS server, in nats-py's words, checked before it gets them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from nats.aio.client import RawCredentials

from aggregate.errors import ConfigError, Mistake

_CREDENTIALS_PART = re.compile(r"-{3,}\s*BEGIN ([A-Z ]+?)\s*-{3,}\s*(\S+?)\s*-{3,}\s*END")
_CREDENTIALS = (
    "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n"
    "-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
)
"""A credentials file as nats-py wants it: it never comes back from one without these lines, so it gets the text, not the path."""


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

    def options(self, url: str) -> dict[str, Any]:
        """The arguments of nats-py's `connect` for the server at `url`.

        Raises:
            ConfigError: the credentials file or the seed is unusable, or the package that signs is not installed.
        """
        parts = urlsplit(url)
        if parts.username is not None and parts.password is not None:
            return {"user": unquote(parts.username), "password": unquote(parts.password)}
        if parts.username is not None:
            return {"token": unquote(parts.username)}
        if self.user:
            return {"user": self.user, "password": self.password}
        if self.token:
            return {"token": self.token}
        if self.credentials is not None:
            jwt, seed = _read_credentials(self.credentials)
            return {"user_credentials": RawCredentials(_CREDENTIALS.format(jwt=jwt, seed=_checked(seed)))}
        if self.nkey_seed:
            return {"nkeys_seed_str": _checked(self.nkey_seed.strip())}
        return {}

    def check(self) -> None:
        """Find out whether it can be used, before a server is there to ask.

        Raises:
            ConfigError: as for `options`.
        """
        self.options("nats://nowhere")


def _read_credentials(path: Path) -> tuple[str, str]:
    try:
        parts = dict(_CREDENTIALS_PART.findall(path.read_text()))
        return parts["NATS USER JWT"], parts["USER NKEY SEED"]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Mistake("nats_credentials", f"{path} cannot be read: {error}")]) from error
    except KeyError as error:
        raise ConfigError([Mistake("nats_credentials", f"{path} is no NATS credentials file: it has no part {error}")]) from error


def _checked(seed: str) -> str:
    """The seed, once it is known that nats-py can sign with it."""
    try:
        import nkeys  # noqa: PLC0415 (optional: extra `auth`)
    except ImportError as error:
        raise ConfigError([Mistake("nats_nkey_seed", "nkeys need the package nkeys: install the extra `auth`")]) from error
    try:
        prefix, raw = nkeys.decode_seed(seed.encode())
        whole = nkeys.encode_seed(bytes(raw), prefix).decode() == seed  # the checksum too
    except (nkeys.NkeysError, ValueError):
        whole = False
    if not whole:
        raise ConfigError([Mistake("nats_nkey_seed", "is no nkey seed (58 letters and digits that start with S)")])
    return seed
