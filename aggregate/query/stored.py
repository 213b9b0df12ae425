"""What stands in the projection's LMDB environment: keys and values.

    r tenant NUL type NUL id(16)                             a row (`StoredRow`)
    i tenant NUL type NUL index(2) key of the value id(16)   nothing: an entry of an index; of rows that can be seen alone
    c tenant NUL type NUL index(2)                           how many entries of the index are of a value that was cut (8)
    s tenant NUL sequence(8)                                 type NUL id(16): the row whose last change that message was
    m name                                                   what the projection knows of itself

A tenant's keys begin with its name and a NUL, which no name holds, so what walks along a prefix cannot come to another tenant. The key of
a value is `aggregate.engine.order`; numbers are big endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

from aggregate.types import AggregateKey, AggregateType, TenantId

FORMAT: Final = 1
INDEX_TEXT: Final = 256
"""Bytes of a text that count in an index: LMDB's keys have at most 511."""
AFTER: Final = b"\xff" * 17
"""Behind every id, and behind every continuation of a text."""
TIME_SIZE: Final = 24

VISIBLE: Final = 1
SHAPED: Final = 2
FAILED: Final = 4

HEAD: Final = struct.Struct(">BxxxIQQ24s")
DOCUMENT: Final = HEAD.size
"""Where the document of a row begins."""
SEQUENCE: Final = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class StoredRow:
    """An aggregate in the projection.

    Attributes:
        flags: VISIBLE: a query may see it (it matches `where`, and is not gone); SHAPED: `shown` is less than the state; FAILED: its
            history could not be folded further than this.
        version, sequence, time: of the last commit that was folded in.
        state: the whole state, which the next fold needs.
        shown: what queries see.
    """

    flags: int
    version: int
    sequence: int
    time: bytes
    state: bytes
    shown: bytes

    @property
    def visible(self) -> bool:
        """Whether queries see it."""
        return bool(self.flags & VISIBLE)

    def encode(self) -> bytes:
        """The value to store."""
        head = HEAD.pack(self.flags, len(self.shown), self.version, self.sequence, self.time)
        return b"".join((head, self.shown, self.state)) if self.flags & SHAPED else head + self.state

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """What `encode` wrote."""
        flags, size, version, sequence, time = HEAD.unpack_from(raw)
        if flags & SHAPED:
            return cls(flags, version, sequence, time, raw[HEAD.size + size :], raw[HEAD.size : HEAD.size + size])
        state = raw[HEAD.size :]
        return cls(flags, version, sequence, time, state, state)


def shown_of(raw: bytes) -> bytes:
    """What queries see of a stored row that can be seen."""
    if raw[0] & SHAPED:
        return raw[HEAD.size : HEAD.size + int.from_bytes(raw[4:8], "big")]
    return raw[HEAD.size :]


def row_prefix(tenant_id: TenantId, aggregate_type: AggregateType) -> bytes:
    """What the keys of a type's rows begin with; the rest is the id."""
    return b"r%b\0%b\0" % (tenant_id.encode(), aggregate_type.encode())


def row_key(key: AggregateKey) -> bytes:
    """The key of a row."""
    return row_prefix(key.tenant_id, key.aggregate_type) + key.aggregate_id.bytes


def index_prefix(tenant_id: TenantId, aggregate_type: AggregateType, index: int) -> bytes:
    """What the keys of an index begin with; the rest is the key of the value and the id."""
    return b"i%b\0%b\0%b" % (tenant_id.encode(), aggregate_type.encode(), index.to_bytes(2, "big"))


def cut_key(tenant_id: TenantId, aggregate_type: AggregateType, index: int) -> bytes:
    """Where it stands how many entries of an index are cut."""
    return b"c" + index_prefix(tenant_id, aggregate_type, index)[1:]


def sequence_prefix(tenant_id: TenantId) -> bytes:
    """What the keys of a tenant's changes begin with; the rest is the sequence."""
    return b"s%b\0" % tenant_id.encode()
