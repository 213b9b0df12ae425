"""Appending one message and knowing what became of it, also where the server's answer was lost.

A conflict or another refusal is certain. A lost answer is not: the message may stand in the log, may never arrive, or may still be on its
way and land later. Until that is certain the same bytes are sent again under the same condition, which can be met once at most, and the
log is asked in between. Only then does anybody get an answer.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aggregate.errors import OutcomeUnknown, StreamConflict, StreamError, Unavailable
from aggregate.handler.log_guard import Trusting
from aggregate.stream.codec import decode_message
from aggregate.stream.headers import MESSAGE_ID
from aggregate.stream.interface import EventLog, StoredMessage
from aggregate.stream.subjects import subject_of
from aggregate.types import AggregateKey

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One message to be appended: the same bytes however often they are sent.

    Attributes:
        command_id: of the first commit: the message is known by it.
        expected: sequence that must be the aggregate's last (0: none).
        claim_owner: write the owner message in the same batch.
        ttl: seconds to live of a message of nothing but refusals, None: for good.
    """

    key: AggregateKey
    command_id: str
    body: bytes
    headers: Mapping[str, str]
    expected: int
    claim_owner: bool
    ttl: float | None


class Appender:
    """Appends attempts to the log. Every answer it gives is certain; `OutcomeUnknown` comes only after `attempt_max` seconds of asking."""

    def __init__(self, stream: EventLog, *, timeout: float, attempt_max: float, guard: Trusting) -> None:
        self._stream = stream
        self._guard = guard
        self._timeout = timeout
        self._attempt_max = attempt_max

    async def append(self, attempt: Attempt) -> int:
        """The sequence at which exactly these bytes stand.

        Raises:
            StreamConflict: they are not and will not be in the log: the condition did not hold, or another message holds the command.
            MessageTooLarge, StreamError: they are not in the log, for a reason that the server named.
            Unavailable: they were not sent.
            OutcomeUnknown: nobody could tell for `attempt_max` seconds.
        """
        try:
            return await self._send(attempt)
        except OutcomeUnknown as error:
            return await self._resolve(attempt, error)

    async def _send(self, attempt: Attempt) -> int:
        appended = await self._stream.append(
            attempt.key,
            attempt.body,
            attempt.headers,
            expected=attempt.expected,
            claim_owner=attempt.claim_owner,
            ttl=attempt.ttl,
            timeout=self._timeout,
        )
        if not appended.duplicate:
            return appended.sequence
        try:
            stored = await self._stream.message_at(appended.sequence)
        except (StreamError, Unavailable) as error:
            raise OutcomeUnknown(attempt.command_id, str(error)) from error
        if stored is not None and self._holds(stored, attempt):
            return self._own(stored, attempt)
        return await self._send(_qualified(attempt))

    async def _resolve(self, attempt: Attempt, why: OutcomeUnknown) -> int:
        """The certain outcome of an attempt whose answer was lost."""
        give_up = time.monotonic() + self._attempt_max
        pause = FIRST_PAUSE
        sends = 0
        while time.monotonic() < give_up:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                self._guard.demand_trust()
                stored = await self._look_up(attempt)
            except StreamConflict:
                raise
            except (StreamError, Unavailable) as error:
                why = OutcomeUnknown(attempt.command_id, str(error))
                continue
            if stored is not None:
                return self._own(stored, attempt)
            sends += 1
            try:
                # A message id that the server refuses to see twice must not stand in the way for good: the condition alone guards.
                return await self._send(attempt if sends < 3 else _qualified(attempt))
            except (StreamError, Unavailable) as error:
                # A conflict too is only a reason to look again: it may have been met by our own earlier attempt, landing just now.
                why = error if isinstance(error, OutcomeUnknown) else OutcomeUnknown(attempt.command_id, str(error))
                if isinstance(error, StreamConflict) and attempt.claim_owner:
                    await self._stop_if_taken(attempt)
        raise why

    async def _look_up(self, attempt: Attempt) -> StoredMessage | None:
        """The message after the expected one that holds the command, from the leader; None where nothing follows the expected one.

        Raises:
            StreamConflict: others have written and the command is not among it: it never will be.
        """
        last = await self._stream.last(attempt.key)
        end = 0 if last is None else last.sequence
        if end == attempt.expected:
            return None
        if end > attempt.expected:
            for stored in await self._stream.read(attempt.key, after=attempt.expected, upto=end, leader=True):
                if self._holds(stored, attempt):
                    return stored
        raise StreamConflict(f"the log of {attempt.key} went on without the command", actual=end)

    async def _stop_if_taken(self, attempt: Attempt) -> None:
        """Stop where the aggregate id has an owner by now and the attempt, which would have made one, is not in the log.

        Raises:
            StreamConflict: so it is.
        """
        try:
            taken = await self._stream.owner(attempt.key.aggregate_id) is not None and await self._look_up(attempt) is None
        except StreamConflict:
            raise
        except (StreamError, Unavailable):
            return
        if taken:
            raise StreamConflict(f"aggregate id {attempt.key.aggregate_id} was taken by another first commit")

    @staticmethod
    def _own(stored: StoredMessage, attempt: Attempt) -> int:
        """The sequence of our own bytes; another node's message with the command is a conflict: it is read as a duplicate."""
        if stored.body == attempt.body:
            return stored.sequence
        raise StreamConflict(f"command {attempt.command_id} was committed by another attempt", actual=stored.sequence)

    @staticmethod
    def _holds(stored: StoredMessage, attempt: Attempt) -> bool:
        if stored.subject != subject_of(attempt.key):
            return False
        return any(commit.command_id == attempt.command_id for commit in decode_message(stored).commits)


def _qualified(attempt: Attempt) -> Attempt:
    """The attempt under a message id that nobody has used: another tenant may have taken the plain one, or a refusal that has expired."""
    return replace(attempt, headers={**attempt.headers, MESSAGE_ID: f"{attempt.command_id}.{secrets.token_hex(8)}"})
