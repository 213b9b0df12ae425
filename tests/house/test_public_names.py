"""The names that users import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import aggregate


@pytest.mark.parametrize("name", aggregate.__all__)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(aggregate, name) is not None


def test_every_public_name_has_a_home() -> None:
    assert sorted([*aggregate._HOME, "__version__"]) == aggregate.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Aggregator"):
        _ = aggregate.Aggregator


def test_a_small_part_does_not_load_the_servers() -> None:
    code = "import sys, aggregate; aggregate.Command; sys.exit(any(name in sys.modules for name in ('grpc', 'aiohttp', 'nats')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
