"""`SnapshotReader`: a look at a node's snapshots from outside, also while the node runs. It takes no lock and writes nothing."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import lmdb

from aggregate.errors import StorageError
from aggregate.storage.records import newest
from aggregate.types import AggregateId, AggregateType, Snapshot, TenantId


class SnapshotReader:
    """The snapshots on disk in a storage folder; those that a running node has not written yet are not seen.

    Raises:
        StorageError: there are none, or they cannot be read.
    """

    def __init__(self, path: Path) -> None:
        folder = path / "snapshots"
        data = folder / "data.mdb"
        if not data.exists():
            raise StorageError(f"no snapshots in {path}")
        try:
            self._env = lmdb.open(str(folder), readonly=True, create=False, readahead=False, max_readers=512)
        except lmdb.Error as error:
            raise StorageError(f"the snapshots in {path} cannot be read: {error}") from error
        if data.stat().st_size < (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]:  # reading on would end the process
            self._env.close()
            raise StorageError(f"the snapshots in {path} cannot be read: the file is cut off")

    async def get_snapshot(
        self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None = None, program: str | None = None
    ) -> Snapshot | None:
        """The newest snapshot, see `SnapshotStore`."""
        try:
            try:
                return self._newest(tenant_id, aggregate_id, aggregate_type, program)
            except lmdb.MapResizedError:  # the node's store has grown
                self._env.set_mapsize(0)
                return self._newest(tenant_id, aggregate_id, aggregate_type, program)
        except lmdb.Error as error:
            raise StorageError(f"LMDB: {error}") from error

    def _newest(
        self, tenant_id: TenantId, aggregate_id: AggregateId, aggregate_type: AggregateType | None, program: str | None
    ) -> Snapshot | None:
        with self._env.begin(buffers=True) as transaction:
            return newest(transaction, tenant_id, aggregate_id, aggregate_type, program)

    def close(self) -> None:
        """Let go of the files."""
        self._env.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
