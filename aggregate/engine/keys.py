"""Subject and snapshot key composition: the compiled twin where it is built, else the pure one.

`AGGREGATE_ENGINE` decides as it does for the engine: `pure` takes the Python twin, `native` refuses to start without the compiled one.
`implementation` says which is in use.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aggregate.errors import ConfigError, Mistake

__all__ = ["implementation", "snapshot_key", "snapshot_prefix", "split_subject", "subject"]

implementation = "pure"

if TYPE_CHECKING or os.environ.get("AGGREGATE_ENGINE") == "pure":
    from aggregate.engine.pure.keys import snapshot_key, snapshot_prefix, split_subject, subject
else:
    try:
        from aggregate.engine._keys import snapshot_key, snapshot_prefix, split_subject, subject

        implementation = "native"
    except ImportError as error:
        if os.environ.get("AGGREGATE_ENGINE") == "native":
            why = "the native engine is asked for, but aggregate.engine._keys is not built; install a wheel or build it, or choose `pure`"
            raise ConfigError([Mistake("AGGREGATE_ENGINE", why)]) from error
        from aggregate.engine.pure.keys import snapshot_key, snapshot_prefix, split_subject, subject
