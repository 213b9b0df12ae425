"""nats-py's client, taught what a connection that is never mended needs, and to send and to take messages by a shorter way.

Its handshake, TLS, pings and errors are used as they are. Private methods are overridden, for want of public ones (so `pyproject.toml`
names the series that was tested): `_process_msg`, for each subscription has a queue, and what is in it when the connection goes is lost:
answers that had come; `_process_info`, for it speaks TLS only where the server asks for it, so who stands in between could talk us out of
it; `_close`, which every loss goes through, for it waits until the peer has taken what is still to be written before it tells anybody,
and a frozen peer never does; `_pending_data_size` and `_pending` are written to, for its `publish` takes every header apart and wakes a
task for each message; its parser (`_ps`), for it takes a message apart in a dozen steps.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

from aggregate.stream.headers import HEAD_ROOM, parse_lines

STATUS = "Status"
DESCRIPTION = "Description"
LINGER = 0.005
"""Seconds that what is in no hurry waits for something to go out with: each write to the socket costs more than the message."""

_NOTHING: Mapping[str, str] = {}
_STATUS_AT = len(b"NATS/1.0 ")


@dataclass(slots=True)
class Message:
    """A message delivered to us."""

    subject: str
    reply: str
    headers: Mapping[str, str]
    data: bytes

    @property
    def status(self) -> int:
        """The status in the header line (503: nobody answers, 404, 204, ...), 0 where there is none.

        nats-py hands it out among the headers, so a message somebody published may pretend to one: look at what else it must have.
        """
        text = self.headers.get(STATUS, "")
        return int(text) if text.isascii() and text.isdigit() else 0

    @property
    def description(self) -> str:
        """The words after the status."""
        return self.headers.get(DESCRIPTION, "")


class NatsClient(Client):
    """A client for one connection, which it tells of each message (with the subscription's number), of each INFO, and of its end."""

    def __init__(
        self,
        *,
        deliver: Callable[[int, Message], None],
        informed: Callable[[dict[str, Any]], None],
        ended: Callable[[str], None],
        tls: bool,
    ) -> None:
        """`tls`: nothing is said before TLS stands, whether the server asks for it or not."""
        super().__init__()
        self._deliver = deliver
        self._informed = informed
        self._ended = ended
        self._must_encrypt = tls
        self._ps = MessageParser(self)
        self._loop = asyncio.get_running_loop()
        self._writing: asyncio.Handle | None = None
        self._lingering: asyncio.TimerHandle | None = None

    def send(self, subject: str, body: bytes, head: bytes, reply: str, *, hurry: bool = True) -> None:
        """Write a message with what else is sent in this turn of the loop; one that is in no `hurry` waits a little for others.

        `head`: its headers as `header_lines` writes them, b"": it has none.

        Raises:
            ConnectionClosedError: nothing is sent any more.
        """
        if self._transport is None or not self.is_connected:
            raise nats.errors.ConnectionClosedError
        if not head:
            frame = b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply.encode(), len(body), body)
        else:
            size = len(head) + HEAD_ROOM
            names = (subject.encode(), reply.encode())
            frame = b"HPUB %b %b %d %d\r\nNATS/1.0\r\n%b\r\n%b\r\n" % (*names, size, size + len(body), head, body)
        self._pending.append(frame)
        self._pending_data_size += len(frame)
        if self._writing is not None:
            return
        if hurry:
            self._writing = self._loop.call_soon(self._write_pending)
        elif self._lingering is None:
            self._lingering = self._loop.call_later(LINGER, self._write_pending)

    @property
    def unwritten(self) -> int:
        """Bytes that wait for the socket."""
        writer = getattr(self._transport, "_io_writer", None)
        return self._pending_data_size + (writer.transport.get_write_buffer_size() if writer is not None else 0)

    def _write_pending(self) -> None:
        for handle in (self._writing, self._lingering):
            if handle is not None:
                handle.cancel()
        self._writing = self._lingering = None
        if self._pending and self._transport is not None:
            self._transport.write(b"".join(self._pending))
            self._pending.clear()
            self._pending_data_size = 0

    def watch_reading(self) -> None:
        """Make sure that the end of reading, for whatever reason, is the end of the connection: nats-py only logs some. Once connected."""
        if self._reading_task is not None:
            self._reading_task.add_done_callback(lambda _: self.drop(str(self.last_error or "reading failed")))

    def end_when_unreceived(self, seconds: float) -> None:
        """Let the system, where it can, end the connection when the peer's machine takes nothing for so long. Once connected."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))

    def drop(self, why: str) -> None:
        """Close the socket at once, with what is still to be written, and tell."""
        self._pending.clear()
        self._pending_data_size = 0
        writer = getattr(self._transport, "_io_writer", None)  # there is no public way to it, and its close() waits for the peer
        if writer is not None:
            writer.transport.abort()
        self._ended(why.removeprefix("nats: "))

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        self.drop(str(self.last_error or "the connection was closed"))
        await super()._close(status, do_cbs)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if self._must_encrypt:
            info["tls_required"] = True
        self._informed(info)
        await super()._process_info(info, initial_connection)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        self.take(sid, subject, reply, data, headers)

    def take(self, sid: int, subject: bytes, reply: bytes, data: bytes, head: bytes | None) -> None:
        """A message has come."""
        self._deliver(sid, Message(subject.decode(), reply.decode(), read_head(head) if head else _NOTHING, data))


class MessageParser(Parser):
    """Takes whole messages apart where they lie. What is left (the beginning of a message, and all that is none) is nats-py's."""

    def __init__(self, client: NatsClient) -> None:
        super().__init__(client)
        self._client = client

    async def parse(self, data: bytes = b"") -> None:
        """Take what has come. Raises ProtocolError."""
        if self.state != AWAITING_CONTROL_LINE:  # nats-py is within a message: it gets the rest of it
            missing = self.needed + 2 - len(self.buf)
            await super().parse(data[:missing])
            data = data[missing:]
        elif self.buf:
            data = bytes(self.buf) + data
            self.buf.clear()
        rest = data[self._take_whole(data) :]
        if rest:
            await super().parse(rest)

    def _take_whole(self, data: bytes) -> int:
        """Deliver the messages that `data` begins with; where the first thing begins that is no whole message."""
        at = 0
        while data.startswith((b"MSG ", b"HMSG "), at):
            line = data.find(b"\r\n", at)
            if line < 0:
                break
            kind, subject, sid, *more = data[at:line].split()
            try:
                size = int(more[-1])
                head = int(more[-2]) if kind == b"HMSG" else 0
                number = int(sid)
            except (IndexError, ValueError):
                break  # nats-py says what is wrong with it
            begin, end = line + 2, line + 2 + size
            if len(data) < end + 2:
                break
            reply = more[0] if len(more) > (2 if head else 1) else b""
            at = end + 2
            self._client.take(number, subject, reply, data[begin + head : end], data[begin : begin + head] if head else None)
        return at


def read_head(head: bytes) -> dict[str, str]:
    """The headers of a message, with the status of the first line where it has one."""
    first, _, lines = head.partition(b"\r\n")
    if len(first) < _STATUS_AT:
        return parse_lines(lines)
    status, _, words = first[_STATUS_AT:].decode(errors="replace").partition(" ")
    found = {STATUS: status} if status.isascii() and status.isdigit() else {}
    if words:
        found[DESCRIPTION] = words
    return found | parse_lines(lines)
