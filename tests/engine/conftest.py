"""Every engine test runs on both twins; the native one is left out only where it is not built."""

from __future__ import annotations

import pytest

from aggregate import engine as door
from aggregate.engine import Engine

from .support import Programs


@pytest.fixture(params=["pure", "native"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if not door.available(request.param):
        pytest.skip(f"the {request.param} engine is not built")
    return door.get(request.param)


@pytest.fixture
def run(engine: Engine) -> Programs:
    """Compiles sources and runs them on the engine under test."""
    return Programs(engine)
