"""Clients that never give up, and keep a record of all they were told.

Each has a tenant and shares its aggregates with the other clients of the tenant. It sends a command, again with the same id until it
knows the outcome, asks again later what became of it, reads states, and does what it should not: uses an id twice, leaves without waiting
for the answer, names an aggregate of another tenant.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

from aggregate.client import AggregateClient
from aggregate.errors import (
    AggregateError,
    CommandIdReused,
    DeadlineExceeded,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Rejected,
    TenantAccessDenied,
    Unavailable,
    VersionConflict,
)
from aggregate.types import AggregateId, AggregateType, Command, Document, Event, Receipt, TenantId, Version, new_uuid7
from aggregate.types.json import parse

from .history import Answer, History, Key, Kind, Read, SeenEvent, Told

TIMEOUTS = (0.1, 0.4, 1.5, 4.0)
"""Seconds that a client waits for an answer: the short ones are often too short, and the command goes on without its caller."""

WIDEST = 64
"""Aggregates that one client asks something of at once."""

NOTHING_STORED = (DeadlineExceeded, Overloaded)
NOT_KNOWN = (OutcomeUnknown, Unavailable)


class Pool:
    """The aggregates of one tenant, and clients of every node."""

    def __init__(self, tenant: str, addresses: Sequence[str], cold: int = 0) -> None:
        """Two hot accounts and a hot order, and `cold` accounts more."""
        self.tenant = tenant
        self.keys = [self.new_key("Account"), self.new_key("Account"), self.new_key("Order")]
        self.keys += [self.new_key("Account") for _ in range(cold)]
        self.nodes = [AggregateClient(address, tenant_id=tenant) for address in addresses]

    def new_key(self, aggregate_type: str) -> Key:
        return Key(self.tenant, aggregate_type, new_uuid7())

    async def close(self) -> None:
        for node in self.nodes:
            await node.close()


class Client:
    """One client; `run` it until `stop` is set, then let it `settle`."""

    def __init__(self, pool: Pool, others: Sequence[Pool], history: History, seed: int) -> None:
        self._pool = pool
        self._others = others
        self._history = history
        self._random = random.Random(seed)
        self._done: list[Told] = []
        self._open: list[Told] = []
        self._old_ids = [new_uuid7() for _ in range(50)]
        self._versions: dict[Key, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work."""
        deeds = [
            (self._order_of_one, 78),
            (self._burst, 4),
            (self._wave, 2),
            (self._stream, 2),
            (self._ask_again, 6),
            (self._read, 6),
            (self._trespass, 2),
            (self._misuse, 2),
        ]
        choices, weights = zip(*deeds, strict=True)
        while not stop.is_set():
            deed = self._random.choices(choices, weights)[0]
            await deed(stop)

    async def settle(self, deadline: float) -> None:
        """Ask until the outcome of every command is known that was not walked away from."""
        for told in self._open:
            while not told.resolved:
                if time.monotonic() > deadline:
                    return
                await self._attempt(told, timeout=4.0)
                await asyncio.sleep(0 if told.resolved else 0.1)
        for told in self._random.sample(self._done, min(10, len(self._done))):
            await self._attempt(told, timeout=4.0)

    @property
    def unsettled(self) -> list[Told]:
        """Commands whose outcome it still does not know, though it asked."""
        return [told for told in self._open if not told.resolved]

    # What it does.

    async def _order_of_one(self, stop: asyncio.Event) -> None:
        await self._command(self._some_key(), stop)

    async def _burst(self, stop: asyncio.Event) -> None:
        """Many at once on one aggregate: they share messages."""
        key = self._some_key()
        await asyncio.gather(*(self._command(key, stop) for _ in range(self._random.randint(3, 12))))

    async def _wave(self, stop: asyncio.Event) -> None:
        """One for each aggregate at once: they share a batch."""
        await asyncio.gather(*(self._command(key, stop) for key in self._pool.keys[:WIDEST]))

    async def _stream(self, stop: asyncio.Event) -> None:
        """Many on one call; what the call leaves open is asked for one by one."""
        commands = [self._new_command(self._some_key()) for _ in range(self._random.randint(5, 40))]
        sent = time.monotonic()
        try:
            node = self._random.choice(self._pool.nodes)
            call = cast("AsyncGenerator[tuple[int, Receipt | AggregateError], None]", node.submit_many(map(_command_of, commands)))
            async with asyncio.timeout(4.0), aclosing(call) as outcomes:
                async for number, outcome in outcomes:
                    told = commands[number]
                    told.answers.append(answer_of(outcome, told, told.payload, sent, time.monotonic()))
        except (AggregateError, TimeoutError) as error:
            broken = answer_of(error, commands[0], commands[0].payload, sent, time.monotonic())
        else:
            broken = answer_of(AggregateError("no outcome"), commands[0], commands[0].payload, sent, time.monotonic())
        for told in commands:
            if not told.answers:
                told.answers.append(replace(broken, payload=told.payload))
        await asyncio.gather(*(self._until_known(told, stop) for told in commands))

    async def _command(self, key: Key, stop: asyncio.Event) -> None:
        await self._until_known(self._new_command(key), stop)

    def _new_command(self, key: Key) -> Told:
        old = self._old_ids and self._random.random() < 0.03
        command_id = self._old_ids.pop() if old else new_uuid7()
        expected = max(0, self._versions.get(key, 0) + self._random.choice((0, 0, 0, 1, -1))) if self._random.random() < 0.08 else None
        told = Told(key, command_id, self._payload(key.type), expected)
        self._history.told.append(told)
        return told

    async def _until_known(self, told: Told, stop: asyncio.Event) -> None:
        while not told.resolved:
            if self._random.random() < 0.02:
                await self._walk_away(told)
                return
            if told.answers and told.answers[-1].kind is Kind.NOT_STORED and self._random.random() < 0.3:
                return  # was told that nothing is stored, and takes the node's word for it
            if stop.is_set() and told.answers:
                self._open.append(told)
                return
            if told.answers:
                await asyncio.sleep(self._random.uniform(0.01, 0.1) * min(len(told.answers), 8))
            await self._attempt(told, self._random.choice(TIMEOUTS))
        self._done.append(told)

    async def _walk_away(self, told: Told) -> None:
        """Hang up in the middle."""
        sent = time.monotonic()
        attempt = asyncio.create_task(self._submit(told, told.payload, 4.0))
        await asyncio.wait([attempt], timeout=self._random.uniform(0.0, 0.02))
        attempt.cancel()
        await asyncio.gather(attempt, return_exceptions=True)
        told.answers.append(Answer(Kind.UNRESOLVED, sent, time.monotonic(), told.payload, "walked_away"))

    async def _ask_again(self, _: asyncio.Event) -> None:
        if self._done:
            recent = self._done[-5:] if self._random.random() < 0.5 else self._done
            await self._attempt(self._random.choice(recent), 2.0)

    async def _misuse(self, _: asyncio.Event) -> None:
        """The id of a command that was answered, with another payload."""
        told = self._random.choice(self._done) if self._done else None
        if told is not None and (self._history.lasting_refusals or told.answers[-1].kind is Kind.ACCEPTED):
            await self._attempt(told, 2.0, {"type": "something_else", "mark": self._random.randint(0, 1000)})

    async def _trespass(self, _: asyncio.Event) -> None:
        """Another tenant's aggregate, once it has an owner."""
        keys = [key for pool in self._others for key in pool.keys[:2] if self._owned(key)]
        if keys:
            theirs = self._random.choice(keys)
            told = Told(Key(self._pool.tenant, theirs.type, theirs.id), new_uuid7(), self._payload(theirs.type), foreign=True)
            self._history.told.append(told)
            await self._attempt(told, 2.0)

    def _owned(self, key: Key) -> bool:
        answers = (answer for told in reversed(self._history.told) if told.key == key for answer in told.answers)
        return any(answer.kind is Kind.ACCEPTED for answer in answers)

    async def _read(self, _: asyncio.Event) -> None:
        await self.read(self._some_key(), self._random.randrange(len(self._pool.nodes)))

    async def read(self, key: Key, node: int, timeout: float = 2.0) -> bool:
        """Read a state; whether a node gave one."""
        asked = time.monotonic()
        version, state = 0, None
        try:
            found = await self._pool.nodes[node].get(key.type, key.id, timeout=timeout)
            version, state = int(found.version), parse(found.state.text)
        except NotFound:
            pass
        except (*NOT_KNOWN, *NOTHING_STORED):
            return False
        self._history.reads.append(Read(key, asked, time.monotonic(), version, state))
        return True

    # How it asks.

    async def _attempt(self, told: Told, timeout: float, payload: Mapping[str, Any] | None = None) -> None:
        payload = told.payload if payload is None else payload
        sent = time.monotonic()
        try:
            outcome: Receipt | Exception = await self._submit(told, payload, timeout)
        except AggregateError as error:
            outcome = error
        told.answers.append(answer_of(outcome, told, payload, sent, time.monotonic()))
        if isinstance(outcome, Receipt):
            self._versions[told.key] = max(self._versions.get(told.key, 0), int(outcome.version))

    async def _submit(self, told: Told, payload: Mapping[str, Any], timeout: float) -> Receipt:
        node = self._random.choice(self._pool.nodes)
        return await node.submit(
            told.key.type, told.key.id, payload, command_id=told.command_id, expected_version=told.expected_version, timeout=timeout
        )

    def _some_key(self) -> Key:
        keys = self._pool.keys
        if self._random.random() < 0.03:
            keys.append(self._pool.new_key(self._random.choice(("Account", "Order"))))
        hot = self._random.random() < 0.6
        return self._random.choice(keys[:3] if hot else keys)

    def _payload(self, aggregate_type: str) -> dict[str, Any]:
        return self._bank() if aggregate_type == "Account" else self._order()

    def _bank(self) -> dict[str, Any]:
        roll = self._random.random()
        amount = self._random.randint(1, 100)
        if roll < 0.15:
            return {"type": "open_account", "owner": self._pool.tenant, "initial_balance": amount}
        if roll < 0.55:
            return {"type": "deposit", "amount": amount if roll > 0.18 else 0}
        return {"type": "withdraw", "amount": amount + self._random.choice((0, 0, 0, 100))}

    def _order(self) -> dict[str, Any]:
        roll = self._random.random()
        sku = self._random.choice("abc")
        if roll < 0.15:
            return {"type": "create_order", "customer": self._pool.tenant, "currency": "eur"}
        if roll < 0.5:
            price = {"a": Decimal("9.99"), "b": 5, "c": Decimal("0.35")}[sku]
            return {"type": "add_line", "sku": sku, "quantity": self._random.randint(1, 3), "price": price if roll < 0.45 else 7}
        if roll < 0.7:
            return {"type": "remove_line", "sku": sku}
        return {"type": "set_discount", "percent": self._random.choice((0, 10, 15, 15, 50))}


def answer_of(outcome: Receipt | Exception, told: Told, payload: Mapping[str, Any], sent: float, heard: float) -> Answer:
    """An outcome as it is recorded."""
    if isinstance(outcome, Receipt):
        key = Key(outcome.tenant_id, outcome.aggregate_type, outcome.aggregate_id)
        events = tuple(_seen(event) for event in outcome.events)
        wrong = [event for event in outcome.events if (event.tenant_id, event.aggregate_id, event.command_id) != (*_whose(told),)]
        if wrong or outcome.command_id != told.command_id:
            return Answer(Kind.UNEXPECTED, sent, heard, payload, "strange_receipt", str(outcome))
        return Answer(Kind.ACCEPTED, sent, heard, payload, "", "", {}, int(outcome.version), outcome.duplicate, events, key)
    code = outcome.reason if isinstance(outcome, AggregateError) else type(outcome).__name__
    kind, details = _judged(outcome, told)
    return Answer(kind, sent, heard, payload, code, str(outcome), details)


def _judged(error: Exception, told: Told) -> tuple[Kind, Mapping[str, Any]]:
    if isinstance(error, Rejected):
        return Kind.REFUSED, parse(error.rejection_details)
    if isinstance(error, VersionConflict):
        details = {"expected": int(error.expected), "actual": int(error.actual)}
        return (Kind.NOT_STORED, {}) if told.expected_version is None else (Kind.REFUSED, details)
    if isinstance(error, TenantAccessDenied):
        return Kind.DENIED, {}
    if isinstance(error, CommandIdReused):
        return Kind.REUSED, {}
    if isinstance(error, NOTHING_STORED):
        return Kind.NOT_STORED, {}
    return (Kind.UNRESOLVED if isinstance(error, (*NOT_KNOWN, TimeoutError)) else Kind.UNEXPECTED), {}


def _command_of(told: Told) -> Command:
    expected = None if told.expected_version is None else Version(told.expected_version)
    key = told.key
    return Command(
        TenantId(key.tenant),
        AggregateType(key.type),
        AggregateId(key.id),
        Document.of(told.payload),
        told.command_id,
        expected_version=expected,
    )


def _whose(told: Told) -> tuple[str, str, str]:
    return told.key.tenant, told.key.id, told.command_id


def _seen(event: Event) -> SeenEvent:
    return SeenEvent(int(event.version), event.event_id, parse(event.payload.text))


def summary(history: History) -> Counter[str]:
    """How many answers of each kind there were."""
    return Counter(f"{answer.kind}{' again' if answer.duplicate else ''}" for told in history.told for answer in told.answers)
