"""How a `StreamClient` is set up, and how it follows from the settings."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import TypedDict

from aggregate.config import Settings
from aggregate.errors import ConfigError, Mistake
from aggregate.stream.identity import Identity


class StreamOptions(TypedDict, total=False):
    """Keyword arguments of `StreamClient.connect`; each may be left out.

    Attributes:
        replicas: of the stream and the buckets, when they are made (1).
        node_id: names the connection and the subject of this node's confirmations ("node").
        breaker_threshold: failures in a row after which the log is given a rest (5).
        breaker_reset: seconds of that rest (5.0).
        durability: `strict` refuses to work on a store that promises less than the contract, `warn` says so ("warn").
        create: whether the stream may be made where it is absent; not by a node that remembers one (True).
        claims_owners: whether `publish_events` claims aggregate ids for their tenant, scope `global` (True).
        monitors: URLs of the servers' monitoring ports, to read there what they do not tell a client (none).
        identity: who we are to the servers (nobody).
        tls: how to speak TLS (only where a server asks for it, with the system's certificates).
    """

    replicas: int
    node_id: str
    breaker_threshold: int
    breaker_reset: float
    durability: str
    create: bool
    claims_owners: bool
    monitors: Sequence[str]
    identity: Identity | None
    tls: ssl.SSLContext | None


def options_from(settings: Settings) -> StreamOptions:
    """The options that the settings ask for.

    Raises:
        ConfigError: a file of certificates is unusable.
    """
    return {
        "replicas": settings.stream_replicas,
        "node_id": settings.node_name,
        "breaker_threshold": settings.breaker_threshold,
        "breaker_reset": settings.breaker_reset,
        "durability": settings.durability,
        "monitors": settings.monitor_urls,
        "claims_owners": settings.aggregate_id_scope == "global",
        "identity": Identity(
            user=settings.nats_user,
            password=settings.nats_password.get_secret_value(),
            token=settings.nats_token.get_secret_value(),
            credentials=settings.nats_credentials,
            nkey_seed=settings.nats_nkey_seed.get_secret_value(),
        ),
        "tls": _tls_from(settings),
    }


def _tls_from(settings: Settings) -> ssl.SSLContext | None:
    if settings.nats_tls_ca is None and settings.nats_tls_cert is None:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.nats_tls_ca)
        if settings.nats_tls_cert is not None:
            context.load_cert_chain(settings.nats_tls_cert, settings.nats_tls_key)
    except (OSError, ssl.SSLError) as error:
        place = "nats_tls_ca" if settings.nats_tls_cert is None else "nats_tls_cert"
        raise ConfigError([Mistake(place, f"the certificates are unusable: {error}")]) from error
    return context
