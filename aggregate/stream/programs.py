"""The programs of the log: every source that ever decided, and which programs a type had in which order.

Bucket `AGGREGATE_PROGRAMS`: `source.<digest>` holds language version and source, written when a node first loads a program, so that history
can always be replayed with what decided it; `type.<Type>` holds the list of generations, extended by compare-and-set.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

from aggregate.errors import StreamConflict, StreamError, Unavailable, quote
from aggregate.stream.kv import Entry, KeyValue

BUCKET = "AGGREGATE_PROGRAMS"
FORMAT_VERSION = 1
ATTEMPTS = 20
LONGEST_WAIT = 0.5


@dataclass(frozen=True, slots=True)
class Source:
    """A program's text and the version of the language it is in."""

    language: str
    source: str


class ProgramRegistry:
    """The programs of the log."""

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket = bucket

    async def register(self, aggregate_type: str, digest: str, language: str, source: str) -> int:
        """Keep a program and return its generation among those of the type; a new one where the newest has another digest.

        Going back to an earlier program is a new generation too. Raises Unavailable, StreamError.
        """
        await self._bucket.ensure()
        await self._keep(digest, Source(language, source))
        for attempt in range(ATTEMPTS):
            entry = await self._bucket.get(f"type.{aggregate_type}")
            digests = _digests(aggregate_type, entry)
            if digests and digests[-1] == digest:
                return len(digests)
            value = _dump({"v": FORMAT_VERSION, "digests": [*digests, digest]})
            try:
                await self._bucket.put(f"type.{aggregate_type}", value, revision=0 if entry is None else entry.revision)
            except StreamConflict:
                await asyncio.sleep(random.uniform(0, min(LONGEST_WAIT, 0.01 * 2**attempt)))
            else:
                return len(digests) + 1
        raise Unavailable(f"the programs of {aggregate_type} are being changed by others all the time", "programs_contended")

    async def generations(self, aggregate_type: str) -> list[str]:
        """The digests of a type's programs, generation 1 first. Raises Unavailable, StreamError."""
        return _digests(aggregate_type, await self._bucket.get(f"type.{aggregate_type}"))

    async def source(self, digest: str) -> Source | None:
        """A program's text, None where it is not known. Raises Unavailable, StreamError."""
        entry = await self._bucket.get(f"source.{digest}")
        if entry is None:
            return None
        members = _load(f"source.{digest}", entry)
        return Source(str(members["language"]), str(members["source"]))

    async def _keep(self, digest: str, source: Source) -> None:
        if await self._bucket.get(f"source.{digest}") is None:
            value = _dump({"v": FORMAT_VERSION, "language": source.language, "source": source.source})
            try:
                await self._bucket.put(f"source.{digest}", value, revision=0)
            except StreamConflict:
                return  # another node kept it: a digest has one source


def _digests(aggregate_type: str, entry: Entry | None) -> list[str]:
    return [] if entry is None else [str(digest) for digest in _load(f"type.{aggregate_type}", entry)["digests"]]


def _dump(members: dict[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _load(key: str, entry: Entry) -> dict[str, Any]:
    try:
        members = json.loads(entry.value)
    except ValueError as error:
        raise StreamError(f"{BUCKET} {key}: no JSON: {quote(entry.value)}") from error
    if not isinstance(members, dict) or members.get("v") != FORMAT_VERSION:
        raise StreamError(f"{BUCKET} {key}: of a format that this node does not know: {quote(entry.value)}; update the node")
    return members
