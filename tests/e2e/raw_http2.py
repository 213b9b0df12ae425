"""gRPC by hand over the PyPI package `h2`: a client that can do what no good client does."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset, TrailersReceived

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
COMMANDS = "/cloudlysis.aggregate.v1.CommandService"
EVENTS = "/cloudlysis.aggregate.v1.EventService"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """One HTTP/2 frame, true or not."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def grpc_message(body: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    """A message with gRPC's five bytes before it, true or not."""
    return struct.pack(">BI", flag, len(body) if length is None else length) + body


@dataclass
class Answer:
    """What came on one stream."""

    data: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> str:
        return self.headers.get("grpc-status", "")


class _Connection(H2Connection):
    """h2 takes a GOAWAY for the end of everything; here calls that are under way go on, as RFC 9113 says."""

    def __init__(self, goaway: asyncio.Event) -> None:
        super().__init__(H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False))
        self._goaway = goaway

    def _receive_goaway_frame(self, frame: object) -> tuple[list[object], list[Event]]:
        self._goaway.set()
        return [], []


class RawClient:
    """One connection. Flow-control windows are opened by hand, `take`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, reads: bool) -> None:
        self._reader = reader
        self._writer = writer
        self._reads = reads
        self.goaway = asyncio.Event()
        self.http = _Connection(self.goaway)
        self.answers: dict[int, Answer] = {}
        self.closed = asyncio.Event()

    @property
    def received(self) -> int:
        """Bytes of all calls."""
        return sum(len(answer.data) for answer in self.answers.values())

    async def call(self, path: str, body: bytes = b"", *, end: bool = True, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
        """Begin a call and send `body` as it is."""
        stream = self.http.get_next_available_stream_id()
        answer = self.answers[stream] = Answer()
        own = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "node"), ("te", "trailers")]
        self.http.send_headers(stream, [*own, ("content-type", "application/grpc"), *headers])
        await self.flush()
        while body:
            while not (room := min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size)):
                if answer.ended.is_set() or self.closed.is_set():
                    return answer
                await asyncio.sleep(0.001)
            with contextlib.suppress(Exception):  # the node may have ended the stream meanwhile: its answer says so
                self.http.send_data(stream, body[:room])
            body = body[room:]
            await self.flush()
        if end and not answer.ended.is_set():
            self.http.end_stream(stream)
            await self.flush()
        return answer

    async def flush(self) -> None:
        self._writer.write(self.http.data_to_send())
        with contextlib.suppress(OSError):
            await self._writer.drain()

    async def run(self) -> None:
        try:
            while data := await self._reader.read(1 << 16):
                for event in self.http.receive_data(data):
                    self._take(event)
                await self.flush()
        except OSError:
            pass
        finally:
            self.closed.set()
            for answer in self.answers.values():
                answer.ended.set()

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived() | TrailersReceived():
                self.answers[event.stream_id].headers |= dict(event.headers)  # type: ignore[arg-type]
            case DataReceived():
                self.answers[event.stream_id].data += event.data
                if self._reads:
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.answers[event.stream_id].ended.set()
            case StreamReset():
                self.answers[event.stream_id].reset = True
                self.answers[event.stream_id].ended.set()


@asynccontextmanager
async def raw_client(port: int, *, reads: bool = True) -> AsyncIterator[RawClient]:
    """A connection to the node; `reads`: it gives room for more whenever something came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = RawClient(reader, writer, reads=reads)
    client.http.initiate_connection()
    await client.flush()
    running = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        running.cancel()
        writer.close()
        await asyncio.gather(running, return_exceptions=True)
