"""Subject and snapshot key composition: the compiled twin where it is built, else the pure one.

`AGGREGATE_ENGINE` decides as it does for the engine: `pure` takes the Python twin, `native` refuses to start without the compiled one.
`implementation` says which is in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregate.engine.twins import compiled

__all__ = ["implementation", "snapshot_key", "snapshot_prefix", "split_subject", "subject"]

_keys = compiled("_keys")
implementation = "pure" if _keys is None else "native"

if TYPE_CHECKING or _keys is None:
    from aggregate.engine.pure.keys import snapshot_key, snapshot_prefix, split_subject, subject
else:
    snapshot_key, snapshot_prefix = _keys.snapshot_key, _keys.snapshot_prefix
    split_subject, subject = _keys.split_subject, _keys.subject
