"""`MemoryStorage`: the snapshot store in memory, for tests that need none on disk. One contract suite holds it to what `StorageClient`
does.
"""

from __future__ import annotations

from pathlib import Path

from aggregate.errors import ValidationError, VersionConflict
from aggregate.storage.client import StorageHealth
from aggregate.storage.records import KEPT_PROGRAMS, KEPT_VERSIONS, rank
from aggregate.storage.value import LANGUAGE, digest_bytes, encode, within_bounds
from aggregate.types import AggregateId, AggregateKey, AggregateType, Snapshot, TenantId
from aggregate.types.canary import Canary


class MemoryStorage:
    """Snapshots in a dict; what is handed over is there at once."""

    def __init__(self) -> None:
        self._snapshots: dict[AggregateKey, list[Snapshot]] = {}
        self._canary: Canary | None = None
        self._seen = False
        self._dropped = 0
        self._written = 0

    async def get_snapshot(
        self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None = None, program: str | None = None
    ) -> Snapshot | None:
        """The newest snapshot, see `SnapshotStore`."""
        if program is not None:
            digest_bytes(program)
        found = (
            snapshot
            for key, snapshots in self._snapshots.items()
            if (key.tenant_id, key.aggregate_id) == (tenant_id, aggregate_id) and aggregate_type in {None, key.aggregate_type}
            for snapshot in snapshots
            if program in {None, snapshot.program} and snapshot.language == LANGUAGE
        )
        return max(found, key=rank, default=None)

    async def put_snapshot(self, snapshot: Snapshot) -> None:
        """Store a snapshot, see `SnapshotStore`."""
        self._put(snapshot)

    def put_later(self, snapshot: Snapshot) -> None:
        """Store a snapshot if that can be, see `SnapshotStore`."""
        try:
            self._put(snapshot)
        except VersionConflict:
            return
        except ValidationError:
            self._dropped += 1

    def _put(self, snapshot: Snapshot) -> None:
        encode(snapshot)
        kept = self._snapshots.setdefault(snapshot.key, [])
        kept[:] = [each for each in kept if each.program != snapshot.program or each.language == snapshot.language]
        mine = [each for each in kept if each.program == snapshot.program]
        newest = max(mine, key=rank, default=None)
        if newest is not None and newest.version >= snapshot.version:
            raise VersionConflict(snapshot.version, newest.version)
        mine.append(within_bounds(snapshot))
        self._written += 1
        others = [each for each in kept if each.program != snapshot.program]
        before: dict[str, list[Snapshot]] = {}
        for each in others:
            before.setdefault(each.program, []).append(each)
        last = sorted(before.values(), key=lambda series: (series[-1].generation, series[-1].sequence, series[-1].version), reverse=True)
        kept[:] = [each for series in last[: KEPT_PROGRAMS - 1] for each in series] + mine[-KEPT_VERSIONS:]

    async def delete_snapshot(self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None = None) -> None:
        """Remove all snapshots of an aggregate, see `SnapshotStore`."""
        for key in list(self._snapshots):
            if (key.tenant_id, key.aggregate_id) == (tenant_id, aggregate_id) and aggregate_type in {None, key.aggregate_type}:
                del self._snapshots[key]

    async def flush(self) -> None:
        """Nothing waits here."""

    def get_canary(self) -> Canary | None:
        """The canary, None before the first."""
        return self._canary

    def put_canary(self, canary: Canary) -> None:
        """Remember the canary if it is greater than the one known."""
        if self._canary is None or canary.sequence > self._canary.sequence:
            self._canary = canary

    def stream_seen(self) -> bool:
        """Whether the log was ever seen from here."""
        return self._seen or self._canary is not None

    def mark_stream_seen(self) -> None:
        """Remember that it was."""
        self._seen = True

    async def set_aside(self, reason: str) -> Path:
        """Begin anew, empty and without canary. The path is only a name."""
        self._snapshots.clear()
        self._canary = None
        return Path(f"memory.aside ({reason})")

    def health(self) -> StorageHealth:
        """How the store is: well."""
        return StorageHealth(
            connected=True, breaker="closed", waiting=0, written=self._written, dropped=self._dropped, set_aside=(), map_size=0
        )

    async def close(self) -> None:
        """Nothing to let go of."""
