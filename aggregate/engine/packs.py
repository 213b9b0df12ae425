"""Rows packed many to a stored value (`pure/packs.py` says how): the compiled twin where it is built, else the pure one.

`AGGREGATE_ENGINE` decides as it does for the engine. Scans through a filter are a method of the engine's programs (`Program.scan`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregate.engine.pure.packs import ROW_HEAD, SHAPED, SIZE, VISIBLE, shown
from aggregate.engine.twins import compiled

__all__ = ["ROW_HEAD", "SHAPED", "SIZE", "VISIBLE", "find", "implementation", "put", "rows", "scan", "shown"]

_native = compiled("_native")
implementation = "pure" if _native is None else "native"

if TYPE_CHECKING or _native is None:
    from aggregate.engine.pure.packs import find, put, rows, scan
else:
    find, put, rows, scan = _native.pack_find, _native.pack_put, _native.pack_rows, _native.pack_scan
