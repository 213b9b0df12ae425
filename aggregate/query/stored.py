"""What stands in the projection's LMDB environment: keys and values.

    r tenant NUL type NUL bound(16)                          a pack of rows (`aggregate.engine.packs`): those behind the bound of the pack
                                                             before it, up to and with its own. The last one's is `LAST_ID`
    i tenant NUL type NUL index(2) key of the value id(16)   nothing: an entry of an index; of rows that can be seen alone
    c tenant NUL type NUL index(2)                           how many entries of the index are of a value that was cut (8)
    s tenant NUL sequence(8)                                 type NUL id(16): the row whose last change that message was
    t tenant                                                 whether the rows of the tenant are here (`Holdings`)
    m name                                                   what the projection knows of itself

A tenant's keys begin with its name and a NUL, which no name holds, so what walks along a prefix cannot come to another tenant. The key of
a value is `aggregate.engine.order`; numbers are big endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final, Self

from aggregate.engine import packs
from aggregate.engine.packs import ROW_HEAD, SHAPED, SIZE, VISIBLE
from aggregate.storage.environment import Damaged
from aggregate.types import AggregateType, TenantId

FORMAT: Final = 3
INDEX_TEXT: Final = 256
"""Bytes of a text that count in an index: LMDB's keys have at most 511."""
AFTER: Final = b"\xff" * 17
"""Behind every id, and behind every continuation of a text."""
LAST_ID: Final = b"\xff" * 16
TIME_SIZE: Final = 24
PACK: Final = 4096 - 16
"""Bytes of a full pack: LMDB keeps it on a page of its own, which has a head."""

FAILED: Final = 4
"""Beside `VISIBLE` and `SHAPED`."""

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
        head = ROW_HEAD.pack(self.flags, self.version, self.sequence, self.time)
        return b"".join((head, SIZE.pack(len(self.shown)), self.shown, self.state)) if self.flags & SHAPED else head + self.state

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """What `encode` wrote. Raises Damaged."""
        try:
            flags, version, sequence, time = ROW_HEAD.unpack_from(raw)
            shown = packs.shown(raw)
        except (ValueError, struct.error) as error:
            raise damaged(error) from error
        return cls(flags, version, sequence, time, raw[ROW_HEAD.size + SIZE.size + len(shown) :] if flags & SHAPED else shown, shown)


class Rows:
    """The rows of a transaction, by their ids, wherever they are packed. The pack that was looked at last is kept."""

    def __init__(self, transaction: Any) -> None:
        self._cursor = transaction.cursor()
        self._low = self._bound = self._pack = b""

    def get(self, prefix: bytes, name: bytes) -> bytes | None:
        """The row of a type (`row_prefix`) with an id, None where there is none. Raises Damaged."""
        pack = self._find(prefix, name)
        try:
            return packs.find(pack, name) if pack else None
        except ValueError as error:
            raise damaged(error) from error

    def put(self, prefix: bytes, name: bytes, row: bytes) -> None:
        """Store a row. Raises Damaged."""
        try:
            *before, (_, self._pack) = packs.put(self._find(prefix, name), name, row, PACK)
        except ValueError as error:
            raise damaged(error) from error
        self._cursor.put(self._bound, self._pack)
        for bound, pack in before:
            self._cursor.put(prefix + bound, pack)
        if before:
            self._low = self._bound = b""

    def _find(self, prefix: bytes, name: bytes) -> bytes:
        """The pack that an id belongs to, b"" where the type has no rows yet."""
        wanted = prefix + name
        if not self._low <= wanted <= self._bound:
            cursor = self._cursor
            there = cursor.set_range(wanted) and cursor.key().startswith(prefix)
            self._low, self._bound = wanted, cursor.key() if there else prefix + LAST_ID
            self._pack = cursor.value() if there else b""
        return self._pack


def damaged(error: Exception) -> Damaged:
    """What is raised where a pack or a row is none."""
    return Damaged(f"damaged: {error}")


def row_prefix(tenant_id: TenantId, aggregate_type: AggregateType) -> bytes:
    """What the keys of a type's packs begin with; the rest is the bound."""
    return b"r%b\0%b\0" % (tenant_id.encode(), aggregate_type.encode())


def index_prefix(tenant_id: TenantId, aggregate_type: AggregateType, index: int) -> bytes:
    """What the keys of an index begin with; the rest is the key of the value and the id."""
    return b"i%b\0%b\0%b" % (tenant_id.encode(), aggregate_type.encode(), index.to_bytes(2, "big"))


def cut_key(tenant_id: TenantId, aggregate_type: AggregateType, index: int) -> bytes:
    """Where it stands how many entries of an index are cut."""
    return b"c" + index_prefix(tenant_id, aggregate_type, index)[1:]


def sequence_prefix(tenant_id: TenantId) -> bytes:
    """What the keys of a tenant's changes begin with; the rest is the sequence."""
    return b"s%b\0" % tenant_id.encode()


def tenant_prefixes(tenant_id: TenantId) -> list[bytes]:
    """What the keys of all that is kept of a tenant's aggregates begin with."""
    return [b"%b%b\0" % (kind, tenant_id.encode()) for kind in (b"r", b"i", b"c", b"s")]


def tenant_key(tenant_id: TenantId) -> bytes:
    """Where it stands whether a tenant's rows are here."""
    return b"t" + tenant_id.encode()


def tenant_of(key: bytes) -> TenantId:
    """The tenant of such a key."""
    return TenantId(key[1:].decode())
