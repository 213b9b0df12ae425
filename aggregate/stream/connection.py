"""One connection to one NATS server, from handshake to loss. It is never mended: who wants another opens another (`link.py`).

So nothing that was asked for on it is ever sent later, and whatever waits for an answer learns at once when the connection is gone.
Requests share one inbox subscription; what is sent within one turn of the event loop leaves in one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from aggregate._version import __version__
from aggregate.stream.identity import Identity
from aggregate.stream.wire import (
    PING,
    PONG,
    Control,
    Info,
    Message,
    ProtocolError,
    Reader,
    ServerError,
    connect_frame,
    publish_frame,
    subscribe_frame,
    unsubscribe_frame,
)

PING_INTERVAL = 5.0
MAX_SILENT_PINGS = 2
INBOX_SUBSCRIPTION = 1
DEFAULT_PORT = 4222


HELLO = {
    "verbose": False,
    "pedantic": False,
    "headers": True,
    "no_responders": True,
    "protocol": 1,
    "lang": "python-aggregate",
    "version": __version__,
}


class ConnectionLost(Exception):
    """The connection is gone, or could not be made; what was asked on it may or may not have been done."""


class NotSent(ConnectionLost):
    """The connection was gone before anything was sent: certainly nothing was done."""


class NoResponders(Exception):
    """Nobody listens on the subject: certainly nothing was done."""


Receive = Callable[[Message | None], None]
"""Gets each message as it comes, and None when the connection is lost. Runs on the loop, must not block or raise."""


class Connection(asyncio.Protocol):
    """A connection; first `open` it. All methods belong to the loop it was made on.

    Attributes:
        info: what the server says of itself, newest.
        lost: done when the connection is gone; its result says why.
        leaving: done when the server said that it is about to shut down (lame duck).
        denied: the last thing the server did not allow us, "" while there was none; requests of that kind are never answered.
    """

    def __init__(self, url: str, *, identity: Identity | None = None, tls: ssl.SSLContext | None = None, name: str = "aggregate") -> None:
        self._loop = asyncio.get_running_loop()
        self.url = url
        self.info: dict[str, Any] = {}
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self.leaving: asyncio.Future[None] = self._loop.create_future()
        self.denied = ""
        self._identity = identity or Identity()
        self._tls = tls
        self._name = name
        self._greeted: asyncio.Future[None] = self._loop.create_future()
        self._admitted: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._reader = Reader()
        self._out: list[bytes] = []
        self._writable = asyncio.Event()
        self._writable.set()
        self._inbox = f"{self.new_inbox()}."
        self._requests = 0
        self._waiting: dict[str, Receive] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._subscriptions: dict[int, Receive] = {}
        self._next_subscription = INBOX_SUBSCRIPTION + 1
        self._silent_pings = 0
        self._flushes: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._complaint = ""

    async def open(self, timeout: float = 5.0) -> None:
        """Connect and be let in; once.

        Raises:
            ConnectionLost: no server there, it is none of NATS, it wants TLS that fails, or it does not let us in.
            ConfigError: the identity is unusable.
        """
        parts = urlsplit(self.url)
        host, port = parts.hostname or "localhost", parts.port or DEFAULT_PORT
        try:
            async with asyncio.timeout(timeout):
                await self._loop.create_connection(lambda: self, host, port)
                await self._greeted
                if parts.scheme == "tls" or self._tls is not None or self.info.get("tls_required"):
                    await self._start_tls(self._tls or ssl.create_default_context(), host)
                self._write(connect_frame({**HELLO, "name": self._name, **self._identity.options(self.url, self.info)}))
                await self._admitted
        except (OSError, TimeoutError) as error:
            self.abort()
            why = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
            raise ConnectionLost(f"{host}:{port}: {why}") from error
        except ConnectionLost as error:
            self.abort()
            raise ConnectionLost(f"{host}:{port}: {error}") from error
        except BaseException:
            self.abort()
            raise
        self._write(subscribe_frame(f"{self._inbox}*", INBOX_SUBSCRIPTION))
        self._timer = self._loop.call_later(PING_INTERVAL, self._ping)

    @property
    def max_payload(self) -> int:
        """Bytes a message may have, headers included."""
        return int(self.info.get("max_payload", 1 << 20))

    @property
    def is_open(self) -> bool:
        """Whether something can be sent."""
        return not self.lost.done()

    async def request(self, subject: str, body: bytes = b"", head: bytes = b"", *, timeout: float = 5.0) -> Message:
        """Send one message and wait for one answer.

        Raises:
            ConnectionLost, TimeoutError: nobody knows what became of it.
            NotSent, NoResponders: certainly nobody got it.
        """
        if not self._writable.is_set():
            await asyncio.wait_for(self._writable.wait(), timeout)
        answer: asyncio.Future[Message | None] = self._loop.create_future()
        inbox = self._expect(partial(_settle, answer))
        timer = self._loop.call_later(timeout, _give_up, answer, timeout)
        try:
            self.send(subject, body, head, inbox)
            message = await answer
        finally:
            timer.cancel()
            self._expect_no_more(inbox)
        if message is None:
            raise ConnectionLost(self._why())
        if message.head and message.status == 503 and not message.data:
            raise NoResponders(subject)
        return message

    async def request_many(self, subject: str, body: bytes, *, is_last: Callable[[Message], bool], timeout: float = 5.0) -> list[Message]:
        """Send one message and collect answers up to and with the one that `is_last`; `timeout` is for each further answer.

        Raises:
            ConnectionLost, TimeoutError, NoResponders: as for `request`.
        """
        answers: asyncio.Queue[Message | None] = asyncio.Queue()
        inbox = self._expect(answers.put_nowait)
        collected: list[Message] = []
        try:
            self._write(publish_frame(subject, inbox, b"", body))
            while not collected or not is_last(collected[-1]):
                message = answers.get_nowait() if not answers.empty() else await asyncio.wait_for(answers.get(), timeout)
                if message is None:
                    raise ConnectionLost(self._why())
                if message.head and message.status == 503 and not message.data:
                    raise NoResponders(subject)
                collected.append(message)
        finally:
            self._expect_no_more(inbox)
        return collected

    async def publish(self, subject: str, body: bytes, head: bytes = b"", reply: str = "") -> None:
        """Send one message and wait for nothing (but for room to write).

        Raises:
            NotSent: there is no connection.
        """
        await self._writable.wait()
        self.send(subject, body, head, reply)

    def send(self, subject: str, body: bytes, head: bytes = b"", reply: str = "") -> None:
        """As `publish`, for little things said now and then: does not wait for room to write. Raises NotSent."""
        self._write(publish_frame(subject, reply, head, body))

    def subscribe(self, subject: str, receive: Receive) -> int:
        """Hand each message on `subject` to `receive` as it comes, None when the connection is lost. Returns a number for `unsubscribe`.

        Raises:
            NotSent: there is no connection.
        """
        number = self._next_subscription
        self._write(subscribe_frame(subject, number))
        self._next_subscription += 1
        self._subscriptions[number] = receive
        return number

    def unsubscribe(self, number: int) -> None:
        """No more messages for this subscription."""
        if self._subscriptions.pop(number, None) is not None and self.is_open:
            self._write(unsubscribe_frame(number))

    @staticmethod
    def new_inbox() -> str:
        """A subject that nobody else uses."""
        return f"_INBOX.{os.urandom(12).hex()}"

    async def flush(self, timeout: float = 5.0) -> None:
        """Wait until the server has taken everything sent so far.

        Raises:
            ConnectionLost, TimeoutError: it may not have.
        """
        answered: asyncio.Future[None] = self._loop.create_future()
        self._write(PING)
        self._flushes.append(answered)
        await asyncio.wait_for(answered, timeout)

    async def close(self, patience: float = 2.0) -> None:
        """Wait up to `patience` seconds for answers under way, send what is left, and close."""
        if self._transport is not None and self.is_open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._idle.wait()
            self._send_out()
            self._transport.close()
            await asyncio.wait([self.lost], timeout=1.0)
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # What asyncio tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                if isinstance(frame, Message):
                    self._deliver(frame)
                else:
                    self._obey(frame)
        except ProtocolError as error:
            self._complaint = f"not NATS: {error}"
            self.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.lost.done():
            return
        self.lost.set_result(self._complaint or (str(exc) if exc else "the connection was closed"))
        self._out.clear()
        self._writable.set()
        if self._timer is not None:
            self._timer.cancel()
        for future in (self._greeted, self._admitted, *self._flushes):
            if not future.done():
                future.set_exception(ConnectionLost(self._why()))
                future.exception()  # nobody may be waiting
        for receive in [*self._waiting.values(), *self._subscriptions.values()]:
            receive(None)
        self._waiting.clear()
        self._subscriptions.clear()

    # Below: in call order.

    async def _start_tls(self, context: ssl.SSLContext, host: str) -> None:
        assert self._transport is not None
        transport = await self._loop.start_tls(self._transport, self, context, server_hostname=host)
        if transport is None:
            raise ConnectionLost("TLS: the connection was closed")
        self._transport = transport

    def _expect(self, receive: Receive) -> str:
        self._requests += 1
        inbox = f"{self._inbox}{self._requests}"
        self._waiting[inbox] = receive
        self._idle.clear()
        return inbox

    def _expect_no_more(self, inbox: str) -> None:
        self._waiting.pop(inbox, None)
        if not self._waiting:
            self._idle.set()

    def _write(self, frame: bytes) -> None:
        if self.lost.done():
            raise NotSent(self._why())
        if not self._out:
            self._loop.call_soon(self._send_out)
        self._out.append(frame)

    def _send_out(self) -> None:
        if self._out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._out[0] if len(self._out) == 1 else b"".join(self._out))
        self._out.clear()

    def _deliver(self, message: Message) -> None:
        if message.subscription == INBOX_SUBSCRIPTION:
            receive = self._waiting.get(message.subject)
        else:
            receive = self._subscriptions.get(message.subscription)
        if receive is not None:
            receive(message)

    def _obey(self, frame: Info | Control | ServerError) -> None:
        if isinstance(frame, Info):
            self.info.update(frame.values)
            if not self._greeted.done():
                self._greeted.set_result(None)
            if frame.values.get("ldm") and not self.leaving.done():
                self.leaving.set_result(None)
        elif isinstance(frame, ServerError):
            if "permissions violation" in frame.text.lower():
                self.denied = frame.text
            else:
                self._complaint = f"the server says: {frame.text}"  # it closes the connection itself
        elif frame.name == b"PING":
            if self.is_open:
                self._write(PONG)
        elif frame.name == b"PONG":
            self._silent_pings = 0
            if not self._admitted.done():
                self._admitted.set_result(None)
            elif self._flushes:
                answered = self._flushes.pop(0)
                if not answered.done():
                    answered.set_result(None)

    def _ping(self) -> None:
        if self._silent_pings >= MAX_SILENT_PINGS:
            self._complaint = "the server went silent"
            self.abort()
            return
        self._silent_pings += 1
        self._flushes.append(self._loop.create_future())  # keeps PONGs in step with who asked
        self._write(PING)
        self._timer = self._loop.call_later(PING_INTERVAL, self._ping)

    def _why(self) -> str:
        return self.lost.result() if self.lost.done() else "the connection is not open"


def _settle(answer: asyncio.Future[Message | None], message: Message | None) -> None:
    if not answer.done():
        answer.set_result(message)


def _give_up(answer: asyncio.Future[Message | None], timeout: float) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError(f"no answer within {timeout:g} s"))
