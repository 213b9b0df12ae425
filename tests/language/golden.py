"""Golden files: compared, or written anew when AGGREGATE_REGENERATE=1 is set (which a change of the language version goes with)."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check_golden(name: str, text: str) -> None:
    """Compare `text` with the golden file `name`.

    Raises:
        AssertionError: they differ, or there is no such file.
    """
    file = FOLDER / name
    if os.environ.get("AGGREGATE_REGENERATE") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.exists(), f"no golden file {name}; AGGREGATE_REGENERATE=1 writes it"
    assert text == file.read_text(encoding="utf-8"), f"{name} differs; AGGREGATE_REGENERATE=1 writes it anew, if that is meant"
