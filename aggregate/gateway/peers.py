"""The other nodes, as this one reaches them: a channel each, opened when it is first wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import grpc

from aggregate.config.settings import Settings
from aggregate.errors import ConfigError, Mistake

PATIENCE = 1.0
"""Seconds to wait for a connection that is just being made, before somebody else serves the call."""

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),  # by which TCP too gives up a peer that takes nothing
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 0),  # whether something may be sent twice is ours to say
)


class Peers:
    """Channels by address."""

    def __init__(self, credentials: grpc.ChannelCredentials | None = None) -> None:
        """`credentials`: for TLS, None: plain."""
        self._credentials = credentials
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @classmethod
    def of_settings(cls, settings: Settings) -> Peers:
        """As the settings ask for: where this node serves TLS, the others do.

        Raises:
            ConfigError: a file cannot be read.
        """
        if settings.tls_cert is None or settings.tls_key is None:
            return cls()
        try:
            authorities = settings.peer_tls_ca.read_bytes() if settings.peer_tls_ca is not None else None
            if settings.tls_client_ca is None:
                return cls(grpc.ssl_channel_credentials(authorities))
            own = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
            return cls(grpc.ssl_channel_credentials(authorities, *own))
        except OSError as error:
            raise ConfigError([Mistake("peer_tls_ca", f"{error.filename} cannot be read: {error.strerror}")]) from error

    async def reach(self, address: str) -> grpc.aio.Channel | None:
        """A channel that is connected; None where the node does not answer: then nothing was sent to it."""
        channel = self._channel(address)
        state = channel.get_state(try_to_connect=True)
        try:
            async with asyncio.timeout(PATIENCE):
                while state in {grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING}:
                    await channel.wait_for_state_change(state)
                    state = channel.get_state(try_to_connect=True)
        except TimeoutError:
            return None
        return channel if state is grpc.ChannelConnectivity.READY else None

    def keep(self, addresses: Collection[str]) -> None:
        """Let the channels to all others go, when their calls have ended."""
        for address in [each for each in self._channels if each not in addresses]:
            task = asyncio.create_task(self._channels.pop(address).close(60.0))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Hang up."""
        for task in self._closing:
            task.cancel()
        channels, self._channels = list(self._channels.values()), {}
        await asyncio.gather(*self._closing, *(channel.close(None) for channel in channels), return_exceptions=True)

    def _channel(self, address: str) -> grpc.aio.Channel:
        channel = self._channels.get(address)
        if channel is None:
            if self._credentials is None:
                channel = grpc.aio.insecure_channel(address, options=OPTIONS)
            else:
                channel = grpc.aio.secure_channel(address, self._credentials, options=OPTIONS)
            self._channels[address] = channel
        return channel
