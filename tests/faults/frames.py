"""Counting what goes over a NATS connection: frames by operation, requests by subject, without I/O."""

from __future__ import annotations

from collections import Counter

CRLF = b"\r\n"
WITH_PAYLOAD = {b"PUB", b"HPUB", b"MSG", b"HMSG"}


class Meter:
    """Counts of all connections through a proxy.

    Attributes:
        frames: how many of each operation (`HPUB`, `MSG`, `PING`, ...).
        requests: PUB and HPUB frames that want an answer, by subject.
    """

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()

    def reset(self) -> None:
        self.frames.clear()
        self.requests.clear()


class FrameCounter:
    """Fed with one direction of one connection's bytes, however they are cut."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._rest = b""
        self._skip = 0

    def feed(self, data: bytes) -> None:
        """Count what is complete; keep the rest."""
        data = self._rest + data
        self._rest = b""
        while data:
            if self._skip:
                skipped = min(self._skip, len(data))
                self._skip -= skipped
                data = data[skipped:]
                continue
            line, found, after = data.partition(CRLF)
            if not found:
                self._rest = data
                return
            self._line(line)
            data = after

    def _line(self, line: bytes) -> None:
        words = line.split()
        if not words:
            return
        operation = words[0].upper()
        self._meter.frames[operation.decode()] += 1
        if operation in WITH_PAYLOAD:
            self._skip = int(words[-1]) + len(CRLF)
        if (operation == b"PUB" and len(words) == 4) or (operation == b"HPUB" and len(words) == 5):
            self._meter.requests[words[1].decode()] += 1
