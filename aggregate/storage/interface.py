"""What the handler asks of the snapshot store. `StorageClient` does it on LMDB, `aggregate.testing.MemoryStorage` in memory; one contract
suite
holds both to it.
"""

from __future__ import annotations

from typing import Protocol

from aggregate.types import AggregateId, AggregateType, Snapshot, TenantId


class SnapshotStore(Protocol):
    """Snapshots by tenant, aggregate and program. Losing it loses no fact."""

    async def get_snapshot(
        self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None = None, program: str | None = None
    ) -> Snapshot | None:
        """The newest snapshot; of the program with this digest where one is named (others are ignored, not an error). Sees pending writes.

        Raises:
            StorageError: the store failed, or its breaker is open.
        """

    async def put_snapshot(self, snapshot: Snapshot) -> None:
        """Store a snapshot; returns when it is on disk.

        Raises:
            VersionConflict: one of this program is stored at this version or a later one.
            StorageError: the store failed, or its breaker is open.
        """

    def put_later(self, snapshot: Snapshot) -> None:
        """Hand a snapshot to the writer; reads see it at once. Never raises, never blocks: where the store fails or is too far behind, the
        snapshot is dropped and counted.
        """

    async def delete_snapshot(self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None = None) -> None:
        """Remove all snapshots of an aggregate. Raises StorageError."""

    async def flush(self) -> None:
        """Wait until everything handed over is on disk. Raises StorageError."""
