"""The ring that places tenants: the compiled twin where it is built, else the pure one.

`AGGREGATE_ENGINE` decides as it does for the engine: `pure` takes the Python twin, `native` refuses to start without the compiled one.
`implementation` says which is in use.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aggregate.errors import ConfigError, Mistake

__all__ = ["HashRing", "implementation"]

implementation = "pure"

if TYPE_CHECKING or os.environ.get("AGGREGATE_ENGINE") == "pure":
    from aggregate.engine.pure.ring import HashRing
else:
    try:
        from aggregate.engine._native import HashRing

        implementation = "native"
    except ImportError as error:
        if os.environ.get("AGGREGATE_ENGINE") == "native":
            why = "the native engine is asked for, but aggregate.engine._native is not built; install a wheel or build it, or choose `pure`"
            raise ConfigError([Mistake("AGGREGATE_ENGINE", why)]) from error
        from aggregate.engine.pure.ring import HashRing
