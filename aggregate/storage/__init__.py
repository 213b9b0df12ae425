"""Snapshots on disk: what makes a node fast and what it can lose without harm."""

from aggregate.storage.client import StorageClient, StorageHealth
from aggregate.storage.interface import SnapshotStore

__all__ = ["SnapshotStore", "StorageClient", "StorageHealth"]
