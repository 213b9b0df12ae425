"""Looks through an LMDB environment: run as `python check.py FOLDER`, in a process of its own.

A damaged file can make LMDB end the process that reads it, so a node that was not stopped properly lets this one read it first. Imports
nothing of ours, to start fast. Ends with 0 when all is sound.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import lmdb


def look_through(folder: str) -> None:
    """Read every key and value, and write once.

    Raises:
        lmdb.Error: damage that LMDB notices; damage that it does not may end the process.
    """
    size = (Path(folder) / "data.mdb").stat().st_size
    with lmdb.open(folder, map_size=max(2 * size, 1 << 26), readahead=True) as env:
        with env.begin(buffers=True) as transaction:
            for _, value in transaction.cursor():
                zlib.crc32(value)
        with env.begin(write=True) as transaction:  # the list of free pages is read by writers alone
            transaction.put(b"~check", b"")
            transaction.delete(b"~check")


if __name__ == "__main__":
    look_through(sys.argv[1])
