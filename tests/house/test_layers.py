"""The dependency table of ARCHITECTURE.md holds, and the test of it can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.layers import table, violations

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "aggregate"
ROOMS = table((ROOT / "ARCHITECTURE.md").read_text())


def test_no_file_imports_what_its_room_may_not() -> None:
    found = [line for path in sorted(PACKAGE.rglob("*.py")) for line in violations(path, PACKAGE, ROOMS)]
    assert not found, "\n" + "\n".join(found)


def test_every_room_has_a_row_and_every_row_a_room() -> None:
    there = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__", "__main__", "_version"} == set(ROOMS)


def test_the_table_is_read_as_it_is_meant() -> None:
    assert ROOMS["types"] == ROOMS["proto"] == ROOMS["engine"] == set()
    assert ROOMS["storage"] == {"engine.keys"}
    assert ROOMS["handler"] == {"runtime", "storage", "stream"}
    assert "gateway" in ROOMS["admin"]
    assert "admin" not in ROOMS["gateway"] | ROOMS["handler"]
    assert ROOMS["node"] == ROOMS["cli"] == set(ROOMS)


@pytest.mark.parametrize(
    ("file", "source", "words"),
    [
        ("types/ids.py", "from aggregate.handler import AggregateHandler", "types may not import aggregate.handler.AggregateHandler"),
        ("types/ids.py", "import aggregate.config", "types may not import aggregate.config"),
        ("errors.py", "from aggregate.types import TenantId", "errors may not import"),
        ("config/settings.py", "from aggregate.runtime import RuntimeExecutor", "config may not import"),
        ("handler/lane.py", "import aggregate.gateway.server", "handler may not import aggregate.gateway.server"),
        ("handler/lane.py", "from aggregate import engine", "handler may not import aggregate.engine"),
        ("handler/lane.py", "from ..gateway import server", "handler may not import aggregate.gateway.server"),
        ("storage/client.py", "from aggregate.engine import get", "storage may not import aggregate.engine.get"),
        ("storage/client.py", "from aggregate.engine.keysmith import subject", "storage may not import"),
        ("stream/codec.py", "def f():\n    from aggregate.testing import EmbeddedNats", "stream may not import"),
        ("stream/codec.py", "def new_test():\n    pass\nfrom aggregate.testing import EmbeddedNats", "stream may not import"),
        ("stream/codec.py", "if TYPE_CHECKING:\n    import aggregate.handler.lane", "stream may not import"),
        ("runtime/executor.py", "from aggregate.engine._native import NativeEngine", "only aggregate/engine/ names compiled modules"),
        ("cli/dev.py", "import aggregate.engine._keys", "only aggregate/engine/ names compiled modules"),
        ("client.py", "from aggregate.gateway import server", "client may not import"),
        ("extra/thing.py", "from aggregate.stream import codec", "no row for extra"),
        ("types/ids.py", "import aggregate", "types may not import aggregate"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path: Path, file: str, source: str, words: str) -> None:
    found = _violations(tmp_path, file, source)
    assert len(found) == 1
    assert words in found[0]
    assert found[0].startswith(f"aggregate/{file}:")


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("handler/lane.py", "from aggregate.runtime import ProgramSet\nfrom aggregate.types import Event\nfrom . import cache"),
        ("storage/client.py", "from aggregate.engine.keys import subject\nfrom aggregate.engine import keys"),
        ("stream/client.py", "class A:\n    async def new_test(cls):\n        from aggregate.testing import EmbeddedNats"),
        ("types/ids.py", "import json\nfrom aggregate.errors import ValidationError\nimport aggregated_elsewhere"),
        ("engine/__init__.py", "import aggregate.engine._native"),
        ("node.py", "import aggregate.gateway.server\nfrom aggregate._version import __version__"),
        ("__init__.py", "from aggregate.handler import AggregateHandler"),
        ("__main__.py", "from aggregate.cli import main"),
    ],
)
def test_what_the_table_allows_is_let_through(tmp_path: Path, file: str, source: str) -> None:
    assert _violations(tmp_path, file, source) == []


def _violations(folder: Path, file: str, source: str) -> list[str]:
    package = folder / "aggregate"
    path = package / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return list(violations(path, package, ROOMS))
