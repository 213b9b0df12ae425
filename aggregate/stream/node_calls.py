"""Calls from node to node over NATS: one subject for each node and verb, JSON both ways, nothing kept.

Whoever may use the servers of the log may do this: no address and no secret is needed beyond theirs. Nobody's word is taken for more than
it is: what a node is asked to do, it may do anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import structlog

from aggregate.errors import AggregateError, Unavailable
from aggregate.stream.connection import Connection, ConnectionLost, NoResponders
from aggregate.stream.link import Link
from aggregate.stream.nats_client import Message

log = structlog.get_logger("aggregate.stream")

PREFIX = "aggregate.node"
Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Refused(AggregateError):
    """Another node could not do what it was asked for; it says why."""

    code = "node_refused"
    status = "FAILED_PRECONDITION"


async def call_node(link: Link, node: str, verb: str, body: Mapping[str, Any], *, timeout: float = 10.0) -> dict[str, Any]:
    """Ask a node.

    Raises:
        Unavailable: it does not answer, or cannot now. Refused: it says no.
    """
    try:
        answer = await link.connection().request(f"{PREFIX}.{node}.{verb}", json.dumps(body).encode(), timeout=timeout)
    except NoResponders:
        raise Unavailable(f"{node} is not there: nobody answers to its name", "node_away") from None
    except (ConnectionLost, TimeoutError) as error:
        raise Unavailable(f"{node} does not answer: {error}", "node_away") from error
    told: dict[str, Any] = json.loads(answer.data)
    if "error" in told:
        words = f"{node}: {told['error']['message']}"
        raise Unavailable(words, "node_cannot") if told["error"]["retryable"] else Refused(words)
    return told


class NodeDesk:
    """Answers what other nodes ask of this one.

    Attributes:
        listening: set when the servers know that it listens.
    """

    def __init__(self, link: Link, node: str, answers: Mapping[str, Answer]) -> None:
        self._link = link
        self._node = node
        self._answers = answers
        self.listening = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> NoReturn:
        """Listen on every connection, for ever."""
        try:
            while True:
                await self._link.wait(up=True)
                with contextlib.suppress(ConnectionLost, Unavailable):
                    connection = self._link.connection()
                    for verb, answer in self._answers.items():
                        await connection.subscribe(f"{PREFIX}.{self._node}.{verb}", self._receiver(connection, answer))
                    with contextlib.suppress(TimeoutError):
                        await connection.settle()
                        self.listening.set()
                    await asyncio.wait([connection.lost])
                await asyncio.sleep(0.01)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _receiver(self, connection: Connection, answer: Answer) -> Callable[[Message | None], None]:
        def receive(message: Message | None) -> None:
            if message is not None and message.reply:
                task = asyncio.create_task(self._reply(connection, message, answer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        return receive

    async def _reply(self, connection: Connection, message: Message, answer: Answer) -> None:
        try:
            told = await answer(json.loads(message.data))
        except AggregateError as error:
            told = {"error": {"message": str(error), "retryable": error.retryable}}
        except Exception:
            log.exception("defect while answering another node", subject=message.subject)
            told = {"error": {"message": "internal error; the node's log has the details", "retryable": False}}
        with contextlib.suppress(ConnectionLost):
            await connection.publish(message.reply, json.dumps(told).encode())
