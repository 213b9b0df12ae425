"""`Appender`: appends of different aggregates that wait at the same time leave as one atomic batch, where that is cheaper.

A server that writes through to the disk before it acknowledges does so once a message, but also once a batch, whatever its size: with more
than a dozen aggregates waiting, one batch costs less than the messages one by one. While a batch is under way, what comes gathers for the
next one. Each message keeps its own condition; where one does not hold the server refuses the batch as a whole and nothing of it is
stored, so each is sent again on its own and gets its own answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from aggregate.errors import AggregateError, OutcomeUnknown, StreamError, Unavailable
from aggregate.stream.append import BAD_HEADERS, BATCH_DISABLED, CONFLICTS, TOO_LARGE, Request, append_message, check_size, outgoing
from aggregate.stream.connection import Connection, ConnectionLost, NoResponders, NotSent
from aggregate.stream.interface import Appended
from aggregate.stream.jetstream import ApiError, parse_answer

FEW = 12
"""So many single messages are as quick as a batch."""
LARGEST_BATCH = 256
LARGEST_BYTES = 4 << 20
MANY = 64
"""So many are worth a second batch while one is under way."""

KNOWN_MESSAGE_ID = 10201
MISSING_SEQUENCE = 10175
INCOMPLETE = 10176
UNSUPPORTED_HEADER = 10177
BATCH_TOO_LARGE = 10199
REFUSALS = CONFLICTS | {
    TOO_LARGE,
    BAD_HEADERS,
    BATCH_DISABLED,
    KNOWN_MESSAGE_ID,
    MISSING_SEQUENCE,
    INCOMPLETE,
    UNSUPPORTED_HEADER,
    BATCH_TOO_LARGE,
}
"""The codes after which nothing of a batch is stored."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """An append that has not been answered. `sent`: it may have reached the server. `until`: loop time at which its caller gives up."""

    request: Request
    answer: asyncio.Future[Appended]
    until: float
    sent: bool = False


class Appender:
    """Sends appends, singly or together.

    Attributes:
        together: whether batches pay: the servers are known to write through to the disk before they acknowledge.
    """

    def __init__(self, usable: Callable[[], Connection]) -> None:
        """`usable` gives the connection, or raises Unavailable."""
        self.together = False
        self._usable = usable
        self._singles = 0
        self._batches = 0
        self._looking = False
        self._line: list[_Waiting] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def append(self, request: Request, timeout: float) -> Appended:
        """As `EventLog.append`."""
        if not self.together:
            return await append_message(self._usable(), request, timeout)
        if not self._line and not self._batches and self._singles < FEW:
            self._singles += 1
            try:
                return await append_message(self._usable(), request, timeout)
            finally:
                self._singles -= 1
                self._go_on()
        check_size(request, self._usable().max_payload)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.create_future(), loop.time() + timeout)
        self._line.append(waiting)
        self._go_on()
        return await self._answer(waiting, timeout)

    async def close(self) -> None:
        """Refuse what has not been sent and wait for what has."""
        for waiting in self._line:
            _fail(waiting, Unavailable("the connection to the log is being closed", "stopping"))
        self._line.clear()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _answer(self, waiting: _Waiting, timeout: float) -> Appended:
        try:
            async with asyncio.timeout(timeout):
                return await waiting.answer
        except TimeoutError as error:
            if waiting.sent:
                raise OutcomeUnknown(waiting.request.command_id, f"no answer within {timeout:g} s") from error
            raise Unavailable(f"the log is busy: not sent within {timeout:g} s", "stream_busy") from error
        finally:
            if not waiting.sent and waiting in self._line:
                self._line.remove(waiting)

    def _go_on(self) -> None:
        """Look at the line at the end of this turn of the loop, when all who come in it have come."""
        if self._line and not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._send_what_waits)

    def _send_what_waits(self) -> None:
        self._looking = False
        while len(self._line) > (MANY if self._batches else FEW) and self._batches < 2:
            self._batches += 1
            self._start(self._send_together(self._take()))
        while self._line and not self._batches and self._singles < FEW:
            self._singles += 1
            self._start(self._send_singly(self._line.pop(0)))

    def _take(self) -> list[_Waiting]:
        """The next batch: as much as fits, of each aggregate one message."""
        taken: dict[str, _Waiting] = {}
        size = 0
        rest = []
        for waiting in self._line:
            fits = not taken or (size + waiting.request.size <= LARGEST_BYTES and len(taken) < LARGEST_BATCH)
            if fits and waiting.request.subject not in taken:
                taken[waiting.request.subject] = waiting
                size += waiting.request.size
            else:
                rest.append(waiting)
        self._line = rest
        return list(taken.values())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_singly(self, waiting: _Waiting) -> None:
        try:
            await self._send_one(waiting)
        finally:
            self._singles -= 1
            self._go_on()

    async def _send_one(self, waiting: _Waiting) -> None:
        waiting.sent = True
        left = waiting.until - asyncio.get_running_loop().time()
        try:
            appended = await append_message(self._usable(), waiting.request, max(left, 0.001))
        except AggregateError as error:
            _fail(waiting, error)
        else:
            _settle(waiting, appended)

    async def _send_together(self, batch: list[_Waiting]) -> None:
        try:
            if not await self._send_batch(batch):
                await asyncio.gather(*(self._send_one(waiting) for waiting in batch))
        finally:
            self._batches -= 1
            self._go_on()

    async def _send_batch(self, batch: list[_Waiting]) -> bool:
        """Send a batch and settle its members; False where the server refused it: nothing of it is stored, nobody is settled."""
        *before, last = outgoing([waiting.request for waiting in batch])
        left = max(waiting.until for waiting in batch) - asyncio.get_running_loop().time()
        for waiting in batch:
            waiting.sent = True
        try:
            connection = self._usable()
            for message in before:
                await connection.publish(message.subject, message.body, message.head)
            answer = await connection.request(last.subject, last.body, last.head, timeout=max(left, 0.001))
            members = parse_answer(answer.data, "batch")
            if int(members.get("count", 0)) != len(before) + 1:
                raise StreamError(f"the server took {members.get('count')} messages of a batch of {len(before) + 1}")
            sequence = int(members["seq"]) - len(before)
        except (NotSent, NoResponders, Unavailable) as error:
            for waiting in batch:
                _fail(waiting, Unavailable(f"no stream takes the message: {error}", "stream_unreachable"))
        except ApiError as error:
            if error.error_code in REFUSALS:
                return False
            _all_unknown(batch, error)
        except (ConnectionLost, TimeoutError, StreamError, KeyError, ValueError) as error:
            _all_unknown(batch, error)
        else:
            for waiting in batch:
                sequence += waiting.request.claim is not None
                _settle(waiting, Appended(sequence, False))
                sequence += 1
        return True


def _settle(waiting: _Waiting, appended: Appended) -> None:
    if not waiting.answer.done():
        waiting.answer.set_result(appended)


def _fail(waiting: _Waiting, error: AggregateError) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)


def _all_unknown(batch: list[_Waiting], error: Exception) -> None:
    for waiting in batch:
        _fail(waiting, OutcomeUnknown(waiting.request.command_id, str(error)))
