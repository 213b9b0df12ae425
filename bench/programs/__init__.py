"""The shipped examples as plain CPython functions with orjson, written as one would write them, and histories for both to fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aggregate.examples


@dataclass(frozen=True, slots=True)
class Example:
    """An example program and its CPython twin.

    Attributes:
        histories: of about so many events together, each from the first event of an aggregate on.
        fold: JSON events in, JSON of the state out, in CPython.
        meta: what `apply` gets beside each event, None where it asks for nothing.
    """

    name: str
    histories: Callable[[int], list[list[bytes]]]
    fold: Callable[[list[bytes]], bytes]
    meta: bytes | None = None

    @property
    def source(self) -> str:
        """The program's text."""
        folder = Path(aggregate.examples.__file__).parent / self.name
        return (folder / f"{self.name}.agl").read_text()
