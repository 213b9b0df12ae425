"""The ring that places tenants: the compiled twin where it is built, else the pure one.

`AGGREGATE_ENGINE` decides as it does for the engine: `pure` takes the Python twin, `native` refuses to start without the compiled one.
`implementation` says which is in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregate.engine.twins import compiled

__all__ = ["HashRing", "implementation"]

_native = compiled("_native")
implementation = "pure" if _native is None else "native"

if TYPE_CHECKING or _native is None:
    from aggregate.engine.pure.ring import HashRing
else:
    HashRing = _native.HashRing
