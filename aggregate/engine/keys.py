"""Subject and snapshot key composition: the compiled twin where it is built, else the pure one.

`AGGREGATE_ENGINE` decides as it does for the engine: `pure` takes the Python twin, `native` refuses to start without the compiled one.
`implementation` says which is in use.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

__all__ = ["implementation", "snapshot_key", "snapshot_prefix", "split_subject", "subject"]

implementation = "pure"

if TYPE_CHECKING or os.environ.get("AGGREGATE_ENGINE") == "pure":
    from aggregate.engine.pure.keys import snapshot_key, snapshot_prefix, split_subject, subject
else:
    try:
        from aggregate.engine._keys import snapshot_key, snapshot_prefix, split_subject, subject

        implementation = "native"
    except ImportError:
        if os.environ.get("AGGREGATE_ENGINE") == "native":
            raise
        from aggregate.engine.pure.keys import snapshot_key, snapshot_prefix, split_subject, subject
