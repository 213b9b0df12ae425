"""Who may change something over HTTP: the one rule, for every route that is no GET.

With a token in the settings: whoever shows it. Without one: nobody, unless the server listens on loopback only, where whoever can
connect has an account on the machine. Web pages that such a person looks at are no such person: a body must call itself JSON (which
a page may not send elsewhere unasked), and without a token the `Host` must be a name of this machine (a page may call its own host
any address).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from aggregate.admin.errors import Refused
from aggregate.config.fields import HostPort, Secret
from aggregate.errors import Unauthenticated


def check_access(headers: Mapping[str, str], token: Secret, address: HostPort) -> None:
    """Let a change pass.

    Raises:
        Unauthenticated: the token is missing or another one.
        Refused: no token is set, and the server can be reached from elsewhere or was asked under another name.
    """
    wanted = token.get_secret_value()
    if wanted:
        scheme, _, shown = headers.get("Authorization", "").partition(" ")
        # Compared in a time that does not depend on where they differ.
        same = hmac.compare_digest(shown.strip().encode(errors="surrogateescape"), wanted.encode())
        if scheme.lower() != "bearer" or not same:
            raise Unauthenticated("this changes the node: show the admin token as `Authorization: Bearer TOKEN`")
        return
    if not address.is_loopback:
        raise Refused(403, f"no admin token is set and the server listens on {address.host}: set AGGREGATE_ADMIN_TOKEN to change anything")
    if not _names_loopback(headers.get("Host", "")):
        raise Refused(403, "no admin token is set and the request was made to another host's name")


def _names_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and HostPort(name, 0).is_loopback
