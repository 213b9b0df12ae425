"""`Canary`: what a node remembers of the log, to notice when the log is older than its memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Canary:
    """The message with the greatest stream sequence that was seen and that has no time to live.

    Attributes:
        sequence: in the stream, from 1.
        message_id: its `Nats-Msg-Id`.
        time: the server's timestamp, Unix nanoseconds.
    """

    sequence: int
    message_id: str
    time: int
