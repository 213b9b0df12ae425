"""A look at a node's snapshots while the node uses them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from aggregate.errors import StorageError
from aggregate.storage.reader import SnapshotReader
from aggregate.types import AggregateId, AggregateType, TenantId

DIGEST = "ab" * 32
NODE = """
import asyncio, sys
from dataclasses import replace
from aggregate.storage import StorageClient
from aggregate.types import Document, Snapshot

async def main():
    first = Snapshot.new_test(aggregate_id=sys.argv[2], program="ab" * 32, sequence=3)
    async with await StorageClient.open(sys.argv[1], map_size=1 << 20) as store:
        await store.put_snapshot(first)
        print("written", flush=True)
        sys.stdin.readline()
        await store.put_snapshot(replace(first, version=6, state=Document.of({"text": "x" * 4_000_000})))
        print("grown", flush=True)
        sys.stdin.readline()

asyncio.run(main())
"""


async def test_snapshots_are_seen_from_outside_as_they_come(tmp_path: Path) -> None:
    wanted = AggregateId.new_v7()
    pipe = asyncio.subprocess.PIPE
    node = await asyncio.create_subprocess_exec(sys.executable, "-c", NODE, str(tmp_path / "data"), wanted, stdin=pipe, stdout=pipe)
    assert node.stdin is not None
    assert node.stdout is not None
    assert await node.stdout.readline() == b"written\n"
    with SnapshotReader(tmp_path / "data") as reader:
        named = (TenantId("tenant-a"), wanted, AggregateType("Account"))
        first = await reader.get_snapshot(*named, DIGEST)
        assert first is not None
        assert (first.version, first.sequence, first.state.value) == (5, 3, {"balance": 100})
        assert await reader.get_snapshot(*named, "cd" * 32) is None
        node.stdin.write(b"\n")
        assert await node.stdout.readline() == b"grown\n"
        second = await reader.get_snapshot(*named, DIGEST)
        assert second is not None
        assert (second.version, len(second.state.text)) == (6, 4_000_011)
    await node.communicate(b"\n")
    assert node.returncode == 0


def test_where_none_are_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no snapshots"):
        SnapshotReader(tmp_path)
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "data.mdb").write_bytes(b"no environment" * 1000)
    with pytest.raises(StorageError, match="cannot be read"):
        SnapshotReader(tmp_path)
    assert not (tmp_path / "lock").exists()
