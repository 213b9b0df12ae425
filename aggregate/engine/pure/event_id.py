"""Ids of events: UUIDs of version 7 that are a function of the command, so that a retry and a replay make the same ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z\Z", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def event_id(tenant_id: str, aggregate_id: str, command_id: str, time: str, index: int) -> str:
    """The id of event `index` of a command decided at `time` (RFC 3339, UTC; digits after the third are cut).

    Raises:
        ValueError: `time` is not of that form, or before 1970.
    """
    milliseconds = unix_milliseconds(time)
    digest = sha256("\0".join((tenant_id, aggregate_id, command_id, str(index))).encode()).digest()
    raw = milliseconds.to_bytes(6, "big") + bytes((0x70 | (digest[0] & 0x0F), digest[1], 0x80 | (digest[2] & 0x3F))) + digest[3:10]
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def unix_milliseconds(time: str) -> int:
    """
    Raises:
        ValueError: no `YYYY-MM-DDTHH:MM:SS[.fraction]Z` from 1970 on.
    """
    match = _TIME.match(time)
    if match is None:
        raise ValueError(f"not an RFC 3339 time in UTC: {time!r:.80}")
    date, clock, fraction = match.groups()
    moment = datetime.strptime(f"{date}T{clock}+0000", "%Y-%m-%dT%H:%M:%S%z")
    if moment < _EPOCH:
        raise ValueError(f"before 1970: {time!r}")
    elapsed = moment - _EPOCH
    return (elapsed.days * 86400 + elapsed.seconds) * 1000 + int(f"{fraction or '':0<3}"[:3])
