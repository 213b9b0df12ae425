"""Reading the log by nats-py and the page on formats alone: nothing of the project's own codec, which is under test."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import nats
import nats.errors
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy

from .history import Key, LoggedCommit, LoggedMessage, LoggedRefusal, SeenEvent

STREAM = "AGGREGATE_EVENTS"
PAGE = 500
PATIENCE = 5.0
ATTEMPTS = 15


class NotTheFormat(Exception):
    """A message is not what the formats say."""


class NotAll(Exception):
    """The reader was given less than the log's leader says there is."""


async def read_log(url: str) -> list[LoggedMessage]:
    """Every message of the stream in order, without the confirmations (they expire and say nothing).

    There may be no leader just now, and a consumer may find itself on a server that is still behind: then it is tried again.
    """
    connection = await nats.connect(url, max_reconnect_attempts=10, reconnect_time_wait=0.2, error_cb=_quiet)
    try:
        context = connection.jetstream(timeout=PATIENCE)
        for attempt in range(ATTEMPTS):
            try:
                return await _read(context)
            except (nats.errors.Error, NotAll):
                if attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(1.0)
        raise AssertionError("unreachable")
    finally:
        await connection.close()


async def _read(context: JetStreamContext) -> list[LoggedMessage]:
    last = (await context.stream_info(STREAM)).state.last_seq
    found: list[LoggedMessage] = []
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, filter_subjects=["tenant.>", "owner.>"], mem_storage=True)
    consumer = await context.pull_subscribe("", stream=STREAM, config=config)
    while (await consumer.consumer_info()).num_pending:
        for message in await consumer.fetch(PAGE, timeout=PATIENCE):
            place = message.metadata.sequence
            await message.ack()
            found.append(parse(place.stream, message.subject, dict(message.headers or {}), message.data))
    if [each.sequence for each in found] != sorted({each.sequence for each in found}) or (found and found[-1].sequence > last):
        raise NotTheFormat("the consumer gave the log out of order, or somebody still writes")
    counts = Counter(message.subject for message in found)
    subjects = (await context.stream_info(STREAM, subjects_filter=">")).state.subjects or {}
    if missing := [name for name, count in subjects.items() if not name.startswith("confirm.") and counts[name] < count]:
        raise NotAll(f"the consumer left out messages of {missing[:3]}")
    return found


def parse(sequence: int, subject: str, headers: Mapping[str, str], body: bytes) -> LoggedMessage:
    """One message. Raises NotTheFormat."""
    try:
        members = json.loads(body, parse_float=Decimal)
        if members["v"] != 1:
            raise NotTheFormat(f"{sequence}: version {members['v']}")
        parts = subject.split(".")
        if parts[0] == "owner":
            return LoggedMessage(sequence, subject, headers, owner=members["tenant_id"], key=Key(members["tenant_id"], "", parts[1]))
        key = Key(members["tenant_id"], members["aggregate_type"], members["aggregate_id"])
        return LoggedMessage(sequence, subject, headers, key, tuple(_commit(commit) for commit in members["commits"]))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise NotTheFormat(f"{sequence} on {subject}: {error!r}: {body[:200]!r}") from error


def _commit(members: Mapping[str, Any]) -> LoggedCommit:
    first = members["first_version"]
    events = tuple(SeenEvent(first + index, event["event_id"], event["payload"]) for index, event in enumerate(members["events"]))
    refused = members.get("refused")
    refusal = LoggedRefusal(refused["kind"], refused["code"], refused["message"], refused["details"]) if refused else None
    return LoggedCommit(members["command_id"], first, members["time"], members.get("command"), events, refusal)


async def _quiet(_: Exception) -> None:
    """nats-py logs what it can deal with itself."""
