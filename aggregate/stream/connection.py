"""One connection to one NATS server, by nats-py, from handshake to loss. It is never mended: who wants another opens another (`link.py`).

So nothing that was asked for on it is ever sent later, and whatever waits for an answer learns at once when the connection is gone.
Requests share one inbox subscription.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import nats.errors
from nats.aio.subscription import Subscription

from aggregate.stream.headers import header_lines
from aggregate.stream.identity import Identity
from aggregate.stream.nats_client import Message, NatsClient

PING_INTERVAL = 5
MAX_SILENT_PINGS = 2
UNRECEIVED = 4.0
"""Seconds after which a connection ends whose peer's machine does not take what was sent: TCP itself waits twice as long each time, so that
after a cut of 8 s nothing goes on for 5 more."""
MOST_PENDING = 1 << 20
"""Bytes that may wait for the socket before who wants to send more has to wait."""
LOOK_FOR_ROOM = 0.005

_CERTAINLY_NOT = (nats.errors.ConnectionClosedError, nats.errors.ConnectionDrainingError, nats.errors.OutboundBufferLimitError)


class ConnectionLost(Exception):
    """The connection is gone, or could not be made; what was asked on it may or may not have been done."""


class NotSent(ConnectionLost):
    """The connection was gone before anything was sent: certainly nothing was done."""


class NoResponders(Exception):
    """Nobody listens on the subject: certainly nothing was done."""


Headers = Mapping[str, str] | bytes
"""By name, or as `header_lines` writes them."""

Receive = Callable[[Message | None], None]
"""Gets each message as it comes, and None when the connection is lost. Runs on the loop, must not block or raise."""


class Connection:
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
        encrypted = tls is not None or urlsplit(url).scheme == "tls"
        self._nats = NatsClient(deliver=self._deliver, informed=self._informed, ended=self._ended, tls=encrypted)
        self._opened = False
        self._inbox = f"{self.new_inbox()}."
        self._requests = 0
        self._waiting: dict[str, Receive] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._subscriptions: dict[int, tuple[Receive, Subscription]] = {}
        self._opening: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def open(self, timeout: float = 3.0) -> None:
        """Connect and be let in; once.

        Raises:
            ConnectionLost: no server there, it is none of NATS, it wants TLS that fails, or it does not let us in.
            ConfigError: the identity is unusable.
        """
        parts = urlsplit(self.url)
        place = parts.netloc.rpartition("@")[2]
        options = self._identity.options(self.url)
        connect = self._nats.connect(
            f"{parts.scheme}://{place}",
            name=self._name,
            error_cb=self._failed,
            allow_reconnect=False,
            connect_timeout=int(timeout) + 1,
            ping_interval=PING_INTERVAL,
            max_outstanding_pings=MAX_SILENT_PINGS,
            tls=self._tls,
            pending_size=0,  # without a connection nothing is kept, and no publish waits once its message is on its way
            flusher_queue_size=0,
            **options,
        )
        # a task of its own: wait_for, which nats-py waits with, loses a cancellation now and then before Python 3.12
        self._opening = self._loop.create_task(connect)
        try:
            await asyncio.wait([self._opening], timeout=timeout)
            if not self._opening.done():
                raise TimeoutError
            if self._opening.cancelled():  # by our own `_ended`: the server went before we were done
                raise nats.errors.UnexpectedEOF
            self._opening.result()
            self._opened = True
            self._nats.watch_reading()
            self._nats.end_when_unreceived(UNRECEIVED)
            await self.subscribe(f"{self._inbox}*", self._answered)
        except (OSError, TimeoutError, nats.errors.Error) as error:
            self.abort()
            why = str(error).removeprefix("nats: ") or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
            raise ConnectionLost(f"{place}: {why}") from error
        except BaseException:
            self.abort()
            raise

    @property
    def max_payload(self) -> int:
        """Bytes a message may have, headers included."""
        return int(self.info.get("max_payload", 1 << 20))

    @property
    def is_open(self) -> bool:
        """Whether something can be sent."""
        return self._opened and not self.lost.done()

    async def request(self, subject: str, body: bytes = b"", headers: Headers | None = None, *, timeout: float = 5.0) -> Message:
        """Send one message and wait for one answer.

        Raises:
            ConnectionLost, TimeoutError: nobody knows what became of it.
            NotSent, NoResponders: certainly nobody got it.
        """
        if self._nats.unwritten > MOST_PENDING:
            async with asyncio.timeout(timeout):
                await self._room()
        answer: asyncio.Future[Message | None] = self._loop.create_future()
        inbox = self._expect(partial(_settle, answer))
        timer = self._loop.call_later(timeout, self._give_up, answer, timeout)
        try:
            self._send(subject, body, headers, inbox)
            message = await answer
        finally:
            timer.cancel()
            self._expect_no_more(inbox)
        if message is None:
            raise ConnectionLost(self._why())
        if message.status == 503 and not message.data:
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
            self._send(subject, body, None, inbox)
            while not collected or not is_last(collected[-1]):
                if answers.empty():
                    async with asyncio.timeout(timeout):
                        message = await answers.get()
                else:
                    message = answers.get_nowait()
                if message is None:
                    raise ConnectionLost(self._why())
                if message.status == 503 and not message.data:
                    raise NoResponders(subject)
                collected.append(message)
        finally:
            self._expect_no_more(inbox)
        return collected

    async def publish(self, subject: str, body: bytes, headers: Headers | None = None, reply: str = "") -> None:
        """Send one message and wait for nothing (but for room to write).

        Raises:
            NotSent: there is no connection.
        """
        if self._nats.unwritten > MOST_PENDING:
            await self._room()
        self._send(subject, body, headers, reply)

    def hint(self, subject: str, body: bytes) -> bool:
        """Send one message with the next that goes out, within milliseconds; whether there was room. Raises NotSent."""
        if self._nats.unwritten > MOST_PENDING:
            return False
        self._send(subject, body, None, "", hurry=False)
        return True

    async def subscribe(self, subject: str, receive: Receive) -> int:
        """Hand each message on `subject` to `receive` as it comes, None when the connection is lost. Returns a number for `unsubscribe`.

        Raises:
            NotSent: there is no connection.
        """
        self._check_open()
        try:
            subscription = await self._nats.subscribe(subject)
        except _CERTAINLY_NOT as error:
            raise NotSent(self._why()) from error
        number = subscription._id  # noqa: SLF001 (what it is delivered under; there is no public way to it)
        self._subscriptions[number] = (receive, subscription)
        return number

    async def unsubscribe(self, number: int) -> None:
        """No more messages for this subscription."""
        _, subscription = self._subscriptions.pop(number, (None, None))
        if subscription is not None and self.is_open:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def settle(self, *, timeout: float = 5.0) -> None:
        """Wait until the server has taken everything that was sent so far, subscriptions too.

        Raises:
            ConnectionLost, TimeoutError: it is not known to have.
        """
        back: asyncio.Future[Message | None] = self._loop.create_future()
        inbox = self._expect(partial(_settle, back))
        try:
            self._send(inbox, b"", None, "")
            async with asyncio.timeout(timeout):
                if await back is None:
                    raise ConnectionLost(self._why())
        finally:
            self._expect_no_more(inbox)

    @staticmethod
    def new_inbox() -> str:
        """A subject that nobody else uses."""
        return f"_INBOX.{os.urandom(12).hex()}"

    async def close(self, patience: float = 2.0) -> None:
        """Wait up to `patience` seconds for answers under way, send what is left, and close."""
        if self.is_open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._idle.wait()
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._nats.flush(1)
        self.abort()
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=1.0)

    def abort(self) -> None:
        """Close at once."""
        self._nats.drop("the connection was closed")

    # What nats-py tells us.

    def _deliver(self, number: int, message: Message) -> None:
        found = self._subscriptions.get(number)
        if found is not None:
            found[0](message)

    def _informed(self, values: dict[str, Any]) -> None:
        self.info.update(values)
        if values.get("ldm") and not self.leaving.done():
            self.leaving.set_result(None)

    async def _failed(self, error: Exception) -> None:
        """An error on the way (it closes the connection itself after most)."""
        if not self._opened:
            if asyncio.current_task() is self._opening:
                raise error  # nats-py would try the servers it knows for ever: ours is one, tried once
            return  # its reading task ended before we looked: it closes the connection itself
        if "permissions violation" in str(error).lower():
            self.denied = str(error).removeprefix("nats: ")
        elif isinstance(error, nats.errors.UnexpectedEOF):
            self._nats.drop(str(error))

    def _ended(self, why: str) -> None:
        if self.lost.done():
            return
        self.lost.set_result(why)
        for receive in [*self._waiting.values(), *(receive for receive, _ in self._subscriptions.values())]:
            receive(None)
        self._waiting.clear()
        self._subscriptions.clear()
        if self._opening is not None:
            self._closing = self._loop.create_task(self._end(self._opening))

    # Below: in call order.

    async def _end(self, opening: asyncio.Task[None]) -> None:
        """End the tasks of nats-py, where it has not done so itself."""
        opening.cancel()
        await asyncio.wait([opening])
        if not opening.cancelled():
            opening.exception()
        with contextlib.suppress(nats.errors.Error, OSError):
            await self._nats.close()

    async def _room(self) -> None:
        while self.is_open and self._nats.unwritten > MOST_PENDING:  # noqa: ASYNC110 (nats-py tells nobody of room)
            await asyncio.sleep(LOOK_FOR_ROOM)

    def _send(self, subject: str, body: bytes, headers: Headers | None, reply: str, *, hurry: bool = True) -> None:
        self._check_open()
        head = headers if isinstance(headers, bytes) else header_lines(headers) if headers else b""
        try:
            self._nats.send(subject, body, head, reply, hurry=hurry)
        except _CERTAINLY_NOT as error:
            raise NotSent(self._why()) from error

    def _check_open(self) -> None:
        if not self.is_open:
            raise NotSent(self._why())

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

    def _answered(self, message: Message | None) -> None:
        if message is not None and (receive := self._waiting.get(message.subject)) is not None:
            receive(message)

    def _give_up(self, answer: asyncio.Future[Message | None], timeout: float) -> None:
        if not answer.done():
            denied = f" (the server says: {self.denied})" if self.denied else ""
            answer.set_exception(TimeoutError(f"no answer within {timeout:g} s{denied}"))

    def _why(self) -> str:
        return self.lost.result() if self.lost.done() else "the connection is not open"


def _settle(answer: asyncio.Future[Message | None], message: Message | None) -> None:
    if not answer.done():
        answer.set_result(message)
