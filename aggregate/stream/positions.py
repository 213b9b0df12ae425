"""Positions: opaque text for a place in the log, `<partition>:<stream sequence>`. Only this folder does arithmetic on them."""

from __future__ import annotations

import re

from aggregate.errors import ValidationError, quote

PARTITION = 0
_POSITION = re.compile(rf"{PARTITION}:(0|[1-9][0-9]{{0,18}})")


def position_of(sequence: int) -> str:
    """The text for a stream sequence."""
    return f"{PARTITION}:{sequence}"


def sequence_of(position: str) -> int:
    """The stream sequence a position names; "" is the beginning.

    Raises:
        ValidationError: the text is no position.
    """
    if not position:
        return 0
    found = _POSITION.fullmatch(position)
    if found is None:
        raise ValidationError(f"expected a position as this service gave it out, got {quote(position)}", "position")
    return int(found[1])
