"""An executor on each engine that is built."""

from __future__ import annotations

import pytest

from aggregate.engine import available, get
from aggregate.runtime import RuntimeExecutor

ENGINES = [name for name in ("pure", "native") if available(name)]


@pytest.fixture(params=ENGINES)
def executor(request: pytest.FixtureRequest) -> RuntimeExecutor:
    return RuntimeExecutor(get(request.param))
