"""Notices of changes on core NATS."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from aggregate.errors import Unavailable
from aggregate.handler import AggregateHandler
from aggregate.stream import StreamClient
from aggregate.stream.connection import Connection
from aggregate.stream.notices import PAUSE, Notices, notice_subject
from aggregate.testing import Environment
from aggregate.types import Command, TenantId
from aggregate.types.record import CommandRecord

ID = "00000000-0000-7000-8000-000000000001"

CONTEXT = {
    "correlation_id": "c-1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "vendor=1",
}


def record(number: int = 1, **more: object) -> CommandRecord:
    known = {"version": number, "events": 1, "position": f"0:{number}"}
    return CommandRecord("acme", "Account", ID, f"c{number}", **(known | more))  # type: ignore[arg-type]


async def test_each_command_that_changed_something_is_told_once_with_its_position() -> None:
    async with Environment() as environment:
        stream = await environment.stream()
        notices = Notices(stream.hint)
        handler: AggregateHandler = await environment.handler(observers=(notices.observe,))
        heard: asyncio.Queue[tuple[str, dict[str, object]]] = asyncio.Queue()
        listening = Connection(environment.nats.url)
        await listening.open()
        await listening.subscribe(
            "notify.>", lambda message: heard.put_nowait((message.subject, json.loads(message.data))) if message is not None else None
        )
        await listening.request("$JS.API.INFO")  # now the server has the subscription
        command = replace(Command.new_test_deposit_with_tenant("acme", 100), metadata=CONTEXT)
        receipt = await handler.submit(command)
        await handler.submit(command)  # a duplicate: nothing new
        untenanted = await handler.submit(Command.new_test_deposit_with_tenant("", 7))
        async with asyncio.timeout(10):
            first, second = await heard.get(), await heard.get()
        assert first == (
            f"notify.acme.Account.{receipt.aggregate_id}",
            {
                "command_id": receipt.command_id,
                "correlation_id": "c-1",
                "events": 1,
                "position": receipt.position,
                "traceparent": CONTEXT["traceparent"],
                "tracestate": "vendor=1",
                "v": 1,
                "version": 1,
            },
        )
        assert second[0] == f"notify.~.Account.{untenanted.aggregate_id}"
        assert heard.empty()
        await listening.close()
    assert isinstance(stream, StreamClient)


def test_what_cannot_be_told_is_dropped_and_not_tried_for_a_while() -> None:
    now = 100.0
    told: list[str] = []
    up, room, asked = False, True, 0

    def hint(subject: str, body: bytes) -> bool:
        nonlocal asked
        asked += 1
        if not up:
            raise Unavailable("not connected")
        if room:
            told.append(json.loads(body)["command_id"])
        return room

    notices = Notices(hint, lambda: now)
    for number in range(8):
        notices.observe(record(number))
    assert (notices.dropped, asked) == (8, 1)
    up = True
    notices.observe(record(9))
    assert (notices.dropped, asked) == (9, 1)
    now += PAUSE
    for number in (10, 11):
        notices.observe(record(number))
    assert told == ["c10", "c11"]
    room = False
    notices.observe(record(12))
    assert (notices.dropped, asked) == (10, 4)
    room = True
    notices.observe(record(13))
    for nothing in (record(events=0), record(duplicate=True), record(outcome="rejected")):
        notices.observe(nothing)
    assert told == ["c10", "c11", "c13"]


def test_subjects_name_any_or_one() -> None:
    assert notice_subject() == "notify.*.*.*"
    assert notice_subject("") == "notify.~.*.*"
    assert notice_subject(TenantId("acme"), "Account", ID) == f"notify.acme.Account.{ID}"
