"""Which twin of a small compiled module is taken, the same way for each: see `keys.py` and `ring.py`."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

from aggregate.errors import ConfigError, Mistake


def compiled(name: str) -> ModuleType | None:
    """The compiled module of this folder, None where its pure twin is to be taken.

    Raises:
        ConfigError: `AGGREGATE_ENGINE` asks for the native one, and it is not built.
    """
    asked = os.environ.get("AGGREGATE_ENGINE")
    if asked == "pure":
        return None
    try:
        return import_module(f"aggregate.engine.{name}")
    except ImportError as error:
        if asked == "native":
            why = f"the native engine is asked for, but aggregate.engine.{name} is not built; install a wheel or build it, or choose `pure`"
            raise ConfigError([Mistake("AGGREGATE_ENGINE", why)]) from error
        return None
