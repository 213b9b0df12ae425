"""The value of a stored snapshot: header, canonical state, checksum.

    format (1 byte, now 1), flags, program digest (32), generation (8), sequence (8), state hash (32), floor (16),
    number of command ids (2), lengths of created_at, last_time, language (1 each), these three texts,
    the command ids (16 and their sequence 8, each), the state, CRC-32 of all that.

Big endian throughout. The key (`aggregate.engine.keys`) tells tenant, id, type and version, so the value does not. A value of another
format, or with a wrong checksum, is no snapshot: the reader goes on without.
"""

from __future__ import annotations

import dataclasses
import struct
import zlib

from aggregate.errors import ValidationError, quote
from aggregate.types import AggregateId, AggregateType, Document, Snapshot, TenantId, Version

FORMAT = 1
LANGUAGE = "agl-1"
"""Snapshots of another version of the language are ignored."""

KEPT_IDS = 64

_HEADER = struct.Struct(">BB32sQQ32s16sHBBB")
_ID = struct.Struct(">16sQ")
_CHECKSUM = struct.Struct(">I")
_PROGRAM, _HASH, _FLOOR, _OTHER_IDS = 1, 2, 4, 8
_NO_DIGEST = bytes(32)
_NO_ID = bytes(16)


class NoSnapshot(Exception):
    """The bytes are no snapshot of this format; the reader ignores them."""


def within_bounds(snapshot: Snapshot) -> Snapshot:
    """The snapshot with at most `KEPT_IDS` command ids, the greatest; `floor` rises to the greatest id left out."""
    if len(snapshot.command_ids) <= KEPT_IDS:
        return snapshot
    ids = sorted(snapshot.command_ids)
    return dataclasses.replace(snapshot, command_ids=tuple(ids[-KEPT_IDS:]), floor=max(snapshot.floor, ids[-KEPT_IDS - 1][0]))


def digest_bytes(program: str) -> bytes:
    """The 32 bytes of a program's digest; zeros for "" (none known).

    Raises:
        ValidationError: no digest.
    """
    return _hex(program, 32, "program") if program else _NO_DIGEST


def encode(snapshot: Snapshot) -> bytes:
    """The value to store.

    Raises:
        ValidationError: a member does not fit the format; names it.
    """
    flags = (
        (_PROGRAM if snapshot.program else 0)
        | (_HASH if snapshot.state_hash else 0)
        | (_FLOOR if snapshot.floor else 0)
        | (_OTHER_IDS if snapshot.other_ids else 0)
    )
    texts = [snapshot.created_at.encode(), snapshot.last_time.encode(), snapshot.language.encode()]
    try:
        header = _HEADER.pack(
            FORMAT,
            flags,
            digest_bytes(snapshot.program),
            snapshot.generation,
            snapshot.sequence,
            _hex(snapshot.state_hash, 32, "state_hash") if snapshot.state_hash else _NO_DIGEST,
            _uuid(snapshot.floor, "floor") if snapshot.floor else _NO_ID,
            len(snapshot.command_ids),
            *map(len, texts),
        )
        ids = b"".join(_ID.pack(_uuid(name, "command_ids"), sequence) for name, sequence in snapshot.command_ids)
    except struct.error as error:
        raise ValidationError(
            f"a snapshot's generation, sequence, times or command ids do not fit its format: {error}", "snapshot"
        ) from error
    body = b"".join([header, *texts, ids, snapshot.state.text])
    return body + _CHECKSUM.pack(zlib.crc32(body))


def decode(tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType, version: int, raw: bytes) -> Snapshot:
    """The snapshot that `encode` wrote.

    Raises:
        NoSnapshot: another format, or damaged.
    """
    if len(raw) < _HEADER.size + _CHECKSUM.size or raw[0] != FORMAT:
        raise NoSnapshot
    body = memoryview(raw)[: -_CHECKSUM.size]
    if zlib.crc32(body) != _CHECKSUM.unpack(raw[-_CHECKSUM.size :])[0]:
        raise NoSnapshot
    _, flags, digest, generation, sequence, state_hash, floor, count, *lengths = _HEADER.unpack_from(raw)
    at = _HEADER.size
    texts = []
    for length in lengths:
        texts.append(bytes(body[at : at + length]).decode())
        at += length
    end = at + count * _ID.size
    return Snapshot(
        tenant_id=tenant_id,
        aggregate_id=aggregate_id,
        aggregate_type=aggregate_type,
        version=Version(version),
        state=Document(bytes(body[end:])),
        created_at=texts[0],
        program=digest.hex() if flags & _PROGRAM else "",
        language=texts[2],
        generation=generation,
        sequence=sequence,
        state_hash=state_hash.hex() if flags & _HASH else "",
        last_time=texts[1],
        command_ids=tuple((_uuid_text(name), each) for name, each in _ID.iter_unpack(body[at:end])),
        floor=_uuid_text(floor) if flags & _FLOOR else "",
        other_ids=bool(flags & _OTHER_IDS),
    )


def _hex(text: str, size: int, field: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != size or raw.hex() != text:
        raise ValidationError(f"expected {2 * size} lower-case hex digits, got {quote(text)}", field)
    return raw


def _uuid(text: str, field: str) -> bytes:
    raw = _hex(text.replace("-", ""), 16, field)
    if _uuid_text(raw) != text:
        raise ValidationError(f"expected a canonical UUID, got {quote(text)}", field)
    return raw


def _uuid_text(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
