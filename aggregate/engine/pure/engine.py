"""The pure engine: the door of this package."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from threading import Lock
from typing import Final

from aggregate.engine.pure.event_id import event_id
from aggregate.engine.pure.failure import Failure
from aggregate.engine.pure.json_reader import read
from aggregate.engine.pure.json_writer import write
from aggregate.engine.pure.load import load
from aggregate.engine.pure.program import Program
from aggregate.engine.pure.results import State
from aggregate.engine.pure.value import Value
from aggregate.errors import DocumentError

MAX_PROGRAMS: Final = 512
MAX_BYTES: Final = 32 * 1024 * 1024
"""Bytes of IR whose programs are kept."""


class PureEngine:
    """The twin in Python: the reference of the language, and the engine where no compiled one is built."""

    name = "pure"

    def __init__(self) -> None:
        self._programs: OrderedDict[bytes, tuple[Program, int]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def load(self, ir: bytes) -> Program:
        """The program of this IR, from the cache where it is there.

        Raises:
            ValueError: the bytes are no IR of this version.
        """
        key = sha256(ir).digest()
        with self._lock:
            found = self._programs.get(key)
            if found is not None:
                self._programs.move_to_end(key)
                return found[0]
        program = Program(load(ir))
        with self._lock:
            if key not in self._programs:
                self._programs[key] = program, len(ir)
                self._bytes += len(ir)
            while len(self._programs) > MAX_PROGRAMS or (self._bytes > MAX_BYTES and len(self._programs) > 1):
                _, (_, size) = self._programs.popitem(last=False)
                self._bytes -= size
        return program

    def state(self, json: bytes | None) -> State:
        """
        Raises:
            DocumentError: no document of the language.
        """
        return State(None, b"null") if json is None else State(_document(json, "state"))

    def canonical(self, json: bytes) -> bytes:
        """
        Raises:
            DocumentError: no document of the language.
        """
        return write(_document(json, "document"))

    def event_id(self, tenant_id: str, aggregate_id: str, command_id: str, time: str, index: int) -> str:
        """
        Raises:
            ValueError: `time` is no RFC 3339 time in UTC.
        """
        return event_id(tenant_id, aggregate_id, command_id, time, index)


def _document(raw: bytes, name: str) -> Value:
    try:
        return read(raw, name)
    except Failure as failure:
        raise DocumentError(failure.record(0)) from failure
