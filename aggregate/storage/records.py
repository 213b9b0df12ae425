"""Snapshots and the canary as records of a transaction: which are kept, which are found, which refused.

Kept of an aggregate are the last two versions of the last two programs, so that a node that goes back to the program before finds
something to start from, and so that one damaged value does not lose all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from aggregate.engine.keys import snapshot_key, snapshot_prefix
from aggregate.errors import ValidationError, VersionConflict
from aggregate.storage.value import LANGUAGE, NoSnapshot, decode, digest_bytes
from aggregate.types import AggregateId, AggregateType, Snapshot, TenantId
from aggregate.types.canary import Canary

KEPT_VERSIONS = 2
KEPT_PROGRAMS = 2

_CANARY_KEY = b"~canary"  # "~" stands in no tenant, so no snapshot's key begins like that
_CANARY = struct.Struct(">QQ")


def scope(tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None) -> bytes:
    """What the keys of all snapshots of an aggregate begin with; without a type, of that id in all types."""
    if aggregate_type is None:
        return snapshot_prefix(str(tenant_id), str(aggregate_id), "A")[:-2]
    return snapshot_prefix(str(tenant_id), str(aggregate_id), str(aggregate_type))


def series(snapshot: Snapshot) -> bytes:
    """What the keys of an aggregate's snapshots of one program begin with.

    Raises:
        ValidationError: its program is no digest.
    """
    return scope(snapshot.tenant_id, snapshot.aggregate_id, snapshot.aggregate_type) + digest_bytes(snapshot.program)[:8]


def rank(snapshot: Snapshot) -> tuple[int, int, int]:
    """Orders snapshots of an aggregate, of whatever program: the greatest is the newest."""
    return int(snapshot.version), snapshot.sequence, snapshot.generation


def newest(
    transaction: Any, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None, program: str | None
) -> Snapshot | None:
    """The newest snapshot (of `program`, where one is named) that can be used; what cannot is passed over."""
    start = scope(tenant_id, aggregate_id, aggregate_type)
    one_series = aggregate_type is not None and program is not None
    if one_series:
        start += digest_bytes(program or "")[:8]
    usable = (
        snapshot
        for key in reversed(_keys(transaction, start))
        if (snapshot := _read(transaction, tenant_id, aggregate_id, key)) is not None
        and snapshot.language == LANGUAGE
        and program in {None, snapshot.program}
    )
    return next(usable, None) if one_series else max(usable, key=rank, default=None)


def put(transaction: Any, snapshot: Snapshot, value: bytes) -> None:
    """Write a snapshot, and remove what it leaves behind.

    Raises:
        VersionConflict: one of its program is stored at its version or a later one. Nothing was written.
    """
    mine = series(snapshot)
    for key in reversed(_keys(transaction, mine)):
        stored = _read(transaction, snapshot.tenant_id, snapshot.aggregate_id, key)
        if stored is None or stored.program != snapshot.program or stored.language != snapshot.language:
            transaction.delete(key)  # what nobody can use stands in nobody's way
        elif stored.version >= snapshot.version:
            raise VersionConflict(snapshot.version, stored.version)
    transaction.put(snapshot_key(mine[:-8], mine[-8:], snapshot.version), value)
    _prune(transaction, snapshot, mine)


def delete(transaction: Any, start: bytes) -> None:
    """Remove every record whose key begins like that."""
    for key in _keys(transaction, start):
        transaction.delete(key)


def read_canary(transaction: Any) -> Canary | None:
    """The canary, None where there is none."""
    raw = transaction.get(_CANARY_KEY)
    if raw is None or len(raw) < _CANARY.size:
        return None
    sequence, time = _CANARY.unpack_from(raw)
    return Canary(sequence, bytes(raw[_CANARY.size :]).decode(errors="replace"), time)


def write_canary(transaction: Any, canary: Canary) -> None:
    """Write the canary, unless a greater one stands there."""
    stored = read_canary(transaction)
    if stored is None or stored.sequence < canary.sequence:
        transaction.put(_CANARY_KEY, _CANARY.pack(canary.sequence, canary.time) + canary.message_id.encode())


def _keys(transaction: Any, start: bytes) -> list[bytes]:
    """The keys that begin with `start`, in order (few: what is kept of one aggregate is bounded)."""
    return list(_scan(transaction, start))


def _scan(transaction: Any, start: bytes) -> Iterator[bytes]:
    cursor = transaction.cursor()
    more = cursor.set_range(start)
    while more:
        key = bytes(cursor.key())
        if not key.startswith(start):
            return
        yield key
        more = cursor.next()


def _read(transaction: Any, tenant_id: TenantId, aggregate_id: AggregateId, key: bytes) -> Snapshot | None:
    """The snapshot stored under `key`, None where it cannot be read."""
    named = key[len(tenant_id) + 1 + 16 : -17]  # between the id, and the NUL with the digest and the version
    try:
        return decode(tenant_id, aggregate_id, AggregateType(named.decode()), int.from_bytes(key[-8:], "big"), bytes(transaction.get(key)))
    except (NoSnapshot, ValidationError, UnicodeDecodeError):
        return None


def _prune(transaction: Any, snapshot: Snapshot, mine: bytes) -> None:
    """Leave the last versions of the program of `snapshot` and of the last ones before it."""
    by_program: dict[bytes, list[bytes]] = {}
    for key in _keys(transaction, mine[:-8]):
        by_program.setdefault(key[:-8], []).append(key)
    kept = [mine]
    if len(by_program) > 1:

        def age(program: bytes) -> tuple[int, int, int]:
            stored = _read(transaction, snapshot.tenant_id, snapshot.aggregate_id, by_program[program][-1])
            return (-1, -1, -1) if stored is None else (stored.generation, stored.sequence, int(stored.version))

        kept += sorted(by_program.keys() - {mine}, key=age, reverse=True)[: KEPT_PROGRAMS - 1]
    for program, keys in by_program.items():
        for key in keys[:-KEPT_VERSIONS] if program in kept else keys:
            transaction.delete(key)
