"""JSON Schema (2020-12) of the settings file and of the manifest, for editors and other checkers."""

from __future__ import annotations

from typing import Any

from aggregate.config.entries import ManifestFile
from aggregate.config.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def manifest_schema() -> dict[str, Any]:
    """The schema of a manifest file."""
    return {"$schema": DIALECT, **_manifest(), "title": "Aggregate manifest"}


def settings_schema() -> dict[str, Any]:
    """The schema of `aggregate.yaml` and `aggregate.toml`; of `aggregates` in it too."""
    schema = Settings.model_json_schema()
    manifest = _manifest()
    properties: dict[str, Any] = schema["properties"]
    properties["aggregates"] = manifest["properties"]["aggregates"]
    for name in Settings.secret_names():
        properties[name] = {"type": "string", "description": properties[name]["description"]}
        properties[f"{name}_file"] = {"type": "string", "description": f"Path of a file that holds {name}."}
    return {"$schema": DIALECT, **schema, "$defs": {**schema.get("$defs", {}), **manifest["$defs"]}, "title": "Aggregate settings"}


def _manifest() -> dict[str, Any]:
    schema = ManifestFile.model_json_schema()
    schema["properties"]["aggregates"]["additionalProperties"] = False  # a name that is no type's is a mistake
    return schema
