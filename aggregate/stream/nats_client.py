"""nats-py's client, taught what a connection that is never mended needs.

Five of its private methods are overridden, for want of public ones (so `pyproject.toml` names the series that was tested):
`_build_message`, for each subscription has a queue, and what is in it when the connection goes is lost: answers that had come;
`_process_info`, for it speaks TLS only where the server asks for it, so who stands in between could talk us out of it; `_close`, which
every loss goes through, for it waits until the peer has taken what is still to be written before it tells anybody, and a frozen peer
never does; `_send_publish`, for it takes every header apart, which costs as much as all the rest of sending; `_parse_header_lines`, for it
looks at every character of every name, which took two thirds of the time of reading a history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client

from aggregate.stream.headers import parse_lines

STATUS = "Status"
DESCRIPTION = "Description"
_NOTHING: Mapping[str, str] = {}


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

    def watch_reading(self) -> None:
        """Make sure that the end of reading, for whatever reason, is the end of the connection: nats-py only logs some. Once connected."""
        if self._reading_task is not None:
            self._reading_task.add_done_callback(lambda _: self.drop(str(self.last_error or "reading failed")))

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

    async def _send_publish(self, subject: str, reply: str, payload: bytes, payload_size: int, headers: Mapping[str, str] | None) -> None:
        if headers is None:
            first, head = f"PUB {subject} {reply} {payload_size}\r\n", b""
        else:
            lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
            head = f"NATS/1.0\r\n{''.join(lines)}\r\n".encode()
            if head.count(b"\n") != len(lines) + 2 or head.count(b"\r") != len(lines) + 2:
                await super()._send_publish(subject, reply, payload, payload_size, dict(headers))  # knows what to do with line breaks
                return
            first = f"HPUB {subject} {reply} {len(head)} {len(head) + payload_size}\r\n"
        await self._send_command(b"".join((first.encode(), head, payload, b"\r\n")))
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        return parse_lines(raw)

    def _build_message(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Mapping[str, str] | None) -> None:
        """Deliver it here; None: there is nothing left to do."""
        self._deliver(sid, Message(subject.decode(), reply.decode(), headers or _NOTHING, data))
