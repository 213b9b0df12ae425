"""`Pending`: a command on its way through a lane, and what is noted of it for those who watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aggregate.errors import AggregateError, DeadlineExceeded, OutcomeUnknown
from aggregate.handler.deciding import payload_hash
from aggregate.types import Command, Receipt


class Pending:
    """One command between entry and answer.

    Attributes:
        answered: the receipt or the error; cancelled when the caller has gone.
        deadline: `time.monotonic()` seconds after which nothing may be sent for it any more.
        gas: what deciding it has cost here, every decision counted; 0 for what another attempt decided.
        load_at, execute_at, append_at: `time.perf_counter()` when it last began; 0.0: it did not.
        snapshot_seconds: handing a snapshot to the store; 0.0: none was due.
        sent: the append of its commit has begun, so only the log can tell its outcome.
    """

    __slots__ = (
        "answered",
        "append_at",
        "append_seconds",
        "cold",
        "command",
        "deadline",
        "digest",
        "execute_at",
        "execute_seconds",
        "gas",
        "load_at",
        "load_seconds",
        "retries",
        "sent",
        "snapshot_seconds",
    )

    def __init__(self, command: Command, deadline: float, answered: asyncio.Future[Receipt]) -> None:
        self.command = command
        self.digest = payload_hash(command)
        self.deadline = deadline
        self.answered = answered
        self.sent = False
        self.gas = 0
        self.cold = False
        self.retries = 0
        self.load_seconds = 0.0
        self.execute_seconds = 0.0
        self.append_seconds = 0.0
        self.load_at = self.execute_at = self.append_at = 0.0
        self.snapshot_seconds = 0.0

    @property
    def gone(self) -> bool:
        """Whether nobody waits any more (the caller has gone, or it has been answered)."""
        return self.answered.done()

    def succeed(self, receipt: Receipt) -> None:
        """Answer with a receipt."""
        if not self.answered.done():
            self.answered.set_result(receipt)

    def fail(self, error: BaseException) -> None:
        """Answer with an error."""
        if not self.answered.done():
            self.answered.set_exception(error)

    def expire(self) -> None:
        """Its deadline has passed: nothing is stored, or nobody knows."""
        if self.sent:
            self.fail(OutcomeUnknown(self.command.command_id, "the deadline passed before the log answered"))
        else:
            self.fail(DeadlineExceeded("the deadline passed before the command was decided; nothing was stored"))

    def settle(self, outcome: Callable[[], Receipt]) -> None:
        """Answer with what `outcome` returns or raises."""
        try:
            receipt = outcome()
        except AggregateError as error:
            self.fail(error)
        else:
            self.succeed(receipt)
