"""The durability contract: what an acknowledgement means now, in one sentence, and what makes it mean less than it should.

Strong is: the stream is configured as it should be, kept in as many copies as the settings say, and written through to the disk before
the acknowledgement, so that not even a power cut that hits all servers at once takes an acknowledged command back. Anything less, or
unknown, is weak; the setting `durability` decides whether a node works on a weak store.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from aggregate.stream.connection import Connection, ConnectionLost, NoResponders
from aggregate.stream.jetstream import NANOSECONDS
from aggregate.stream.nats_client import Message
from aggregate.stream.setup import StreamFacts

OLDEST_SERVER = (2, 14, 4)
SYSTEM_VARZ = "$SYS.REQ.SERVER.PING.VARZ"
GATHER_TIME = 0.3
MONITOR_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Durability:
    """The contract, as it stands.

    Attributes:
        sentence: what an acknowledgement means.
        weaknesses: why that is less than it should be, a sentence each; empty where it is not.
    """

    sentence: str
    weaknesses: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join([self.sentence, *(f"weak: {weakness}" for weakness in self.weaknesses)])


UNKNOWN = Durability("what an acknowledgement means is not known yet", ("the store has not been looked at",))


@dataclass(frozen=True, slots=True)
class SyncInterval:
    """How often a server writes through to the disk. `seconds` 0: before every acknowledgement; None: not known."""

    seconds: float | None

    def __str__(self) -> str:
        if self.seconds is None:
            return "nobody knows how often that is written through to the disk"
        return "written through to the disk" if self.seconds == 0 else f"fsync every {_duration(self.seconds)}"


def judge(
    info: Mapping[str, Any], facts: StreamFacts, bucket_replicas: Mapping[str, int], sync: SyncInterval, wanted_replicas: int
) -> Durability:
    """The contract, from what the server says of itself, of the stream and of the buckets."""
    copies = facts.replicas
    place = "on the one server there is" if copies == 1 else f"on at least {copies // 2 + 1} of {copies} replicas"
    weaknesses = [*_server(info), *facts.differences]
    if facts.persist_mode != "default":
        weaknesses.append(f"the stream's persist_mode is {facts.persist_mode}: it acknowledges before it writes")
    weaknesses += [
        f"the bucket {name} has {replicas} replicas, should have {wanted_replicas}"
        for name, replicas in bucket_replicas.items()
        if replicas < wanted_replicas
    ]
    if sync.seconds is None:
        weaknesses.append("sync_interval cannot be read (no monitoring URL, no system account): nobody knows what a power cut takes back")
    elif sync.seconds > 0:
        everywhere = " of all servers at once" if copies > 1 else ""
        weaknesses.append(f"a power cut{everywhere} may take back the last {_duration(sync.seconds)} (sync_interval is not `always`)")
    return Durability(f"an acknowledged command stands {place}, {sync}", tuple(weaknesses))


async def read_sync_interval(connection: Connection, monitors: dict[str, float | None]) -> SyncInterval:
    """The longest interval of all servers that tell: by the system account where we may ask it, else by their monitoring ports.

    `monitors` has what each port told last, and is brought up to date: a server that is down has nothing to acknowledge, and when it
    is back with another interval it tells so.
    """
    found = await _ask_system_account(connection)
    if not found:
        for url in monitors:
            if (interval := await asyncio.to_thread(_ask_monitor, url)) is not None:
                monitors[url] = interval
        found = list(monitors.values())
    known = [interval for interval in found if interval is not None]
    return SyncInterval(max(known) if known and len(known) == len(found) else None)


def sync_seconds(varz: Any) -> float | None:
    """The interval in a server's `varz`, None where it does not stand there."""
    try:
        configuration = varz["jetstream"]["config"]
        return 0.0 if configuration.get("sync_always") else float(configuration["sync_interval"]) / NANOSECONDS
    except (KeyError, TypeError, ValueError):
        return None


def _server(info: Mapping[str, Any]) -> Iterable[str]:
    version = str(info.get("version", ""))
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    oldest = ".".join(map(str, OLDEST_SERVER))
    if numbers is None:
        yield f"the server's version is {version!r}, should be {oldest} or later"
    elif tuple(map(int, numbers.groups())) < OLDEST_SERVER:
        yield f"the server is {version}, should be {oldest} or later"


async def _ask_system_account(connection: Connection) -> list[float | None]:
    answers: list[Message] = []
    inbox = connection.new_inbox()
    try:
        first = await connection.request(SYSTEM_VARZ, timeout=GATHER_TIME)
        number = await connection.subscribe(inbox, lambda message: answers.append(message) if message is not None else None)
        try:
            await connection.publish(SYSTEM_VARZ, b"", reply=inbox)
            await asyncio.sleep(GATHER_TIME)  # nobody knows how many servers there are: those who do not answer by then do not tell
        finally:
            await connection.unsubscribe(number)
    except (NoResponders, ConnectionLost, TimeoutError):
        return []
    found: list[float | None] = []
    for answer in answers or [first]:
        try:
            members = orjson.loads(answer.data)
        except ValueError:
            members = {}
        found.append(sync_seconds(members.get("data") if isinstance(members, dict) else None))
    return found


def _ask_monitor(url: str) -> float | None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    asked = kind(parts.hostname or "localhost", parts.port or 8222, timeout=MONITOR_TIMEOUT)
    try:
        asked.request("GET", f"{parts.path.rstrip('/')}/varz")
        return sync_seconds(json.loads(asked.getresponse().read()))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        asked.close()


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
