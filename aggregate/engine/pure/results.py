"""What the calls of a program give back, as the interface has them, and the opaque state."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from aggregate.engine.pure.json_writer import write
from aggregate.engine.pure.value import Value

_UNLIMITED = 2**62
_BYTES_PER_BYTE = 8
"""About how much memory a value takes for each byte of its text."""


class State:
    """An immutable value; its canonical text is written once, when it is first wanted."""

    __slots__ = ("_text", "value")

    def __init__(self, value: Value, text: bytes | None = None) -> None:
        self.value = value
        self._text = text

    def json(self) -> bytes:
        if self._text is None:
            self._text = write(self.value, _UNLIMITED)
        return self._text

    def hash(self) -> str:
        return sha256(self.json()).hexdigest()

    def size(self) -> int:
        return 200 + _BYTES_PER_BYTE * len(self.json())


@dataclass(frozen=True, slots=True)
class Decision:
    events: list[bytes] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    state: State | None = None
    gas: int = 0
    rejection: bytes | None = None
    error: bytes | None = None
    phase: str = "decide"


@dataclass(frozen=True, slots=True)
class Evaluation:
    value: bytes | None = None
    gas: int = 0
    rejection: bytes | None = None
    error: bytes | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    state: State
    count: int = 0
    gas: int = 0
    error: bytes | None = None


@dataclass(frozen=True, slots=True)
class CommitFold:
    state: State
    count: int = 0
    gas: int = 0
    error: bytes | None = None
    version: int = 0
    time: str = ""
    generation: int = 0
    commits: list[tuple[int, str, int, int, bool]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Matches:
    rows: bytes = b""
    errors: int = 0
    first_error: bytes | None = None
    gas: int = 0
    error: bytes | None = None
