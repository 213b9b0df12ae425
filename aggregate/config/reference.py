"""`docs/settings.md`, made from the settings themselves: run `python -m aggregate.config.reference > docs/settings.md`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from aggregate.config.fields import Secret
from aggregate.config.settings import Settings

_HEAD = """\
# Settings

This page is made from the code (`python -m aggregate.config.reference`). A setting is `AGGREGATE_<NAME>` in the environment and the
name in lower case in `aggregate.yaml` or `aggregate.toml` in the working folder, or in the file that `AGGREGATE_CONFIG` names. The
environment overrides the file, the file the default. An empty variable counts as not set. Paths in a file are relative to its folder.
Durations are seconds, or text like `250ms`, `5s`, `10m`, `1h`; sizes are bytes, or text like `64MiB`. A secret may also be given by
`AGGREGATE_<NAME>_FILE`, the path of a file that holds it. An unknown name is an error, and all mistakes are reported at once.

The file may also hold the manifest's `aggregates:`. `aggregate config schema` prints the JSON Schema of both.

| setting | default | meaning |
|---|---|---|
"""


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is PydanticUndefined or value is None or (isinstance(value, Secret | str) and not str(value)):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Path):
        return f"`{value}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _meaning(field: FieldInfo) -> str:
    text = field.description or ""
    if get_origin(field.annotation) is Literal:
        text += f" One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}."
    return text + (" A secret." if field.annotation is Secret else "")


def settings_reference() -> str:
    """The page, Markdown."""
    rows = [
        f"| `{name.upper()}` | {_default(field)} | {_meaning(field)} |"
        for name, field in Settings.model_fields.items()
        if name != "aggregates"
    ]
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(settings_reference())
