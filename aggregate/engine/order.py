"""Keys that sort as values do (`pure/order_key.py` says how): the compiled twin where it is built, else the pure one.

`AGGREGATE_ENGINE` decides as it does for `keys`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aggregate.engine.pure.order_key import ABOVE, BELOW, CUT, END, NULL, STRING, ZERO, key_value, value_key

__all__ = ["ABOVE", "BELOW", "CUT", "END", "NULL", "STRING", "ZERO", "implementation", "key_value", "order_keys", "value_key"]

implementation = "pure"

if TYPE_CHECKING or os.environ.get("AGGREGATE_ENGINE") == "pure":
    from aggregate.engine.pure.order_key import order_keys
else:
    try:
        from aggregate.engine._native import order_keys

        implementation = "native"
    except ImportError:  # `keys`, which everything needs, has refused by now where the native engine is demanded
        from aggregate.engine.pure.order_key import order_keys
