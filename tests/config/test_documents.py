"""The page and the schemas that are made from the settings."""

from __future__ import annotations

from pathlib import Path

from aggregate.config import Settings
from aggregate.config.reference import settings_reference
from aggregate.config.schema import manifest_schema, settings_schema

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_of_settings_is_current() -> None:
    assert PAGE.read_text() == settings_reference(), "run: python -m aggregate.config.reference > docs/settings.md"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_schema_knows_every_setting_and_no_other() -> None:
    schema = settings_schema()
    secrets = {f"{name}_file" for name in Settings.secret_names()}
    assert set(schema["properties"]) == set(Settings.model_fields) | secrets
    assert secrets == {"admin_token_file", "nats_nkey_seed_file", "nats_password_file", "nats_token_file", "page_secret_file"}
    assert schema["additionalProperties"] is False
    assert schema["properties"]["engine"]["enum"] == ["auto", "native", "pure"]


def test_the_schema_of_a_manifest_refuses_what_the_manifest_does() -> None:
    schema = manifest_schema()
    assert schema["required"] == ["aggregates"]
    assert schema["additionalProperties"] is False
    types = schema["properties"]["aggregates"]
    assert list(types["patternProperties"]) == ["^[A-Za-z][A-Za-z0-9_-]{0,63}$"]
    assert types["additionalProperties"] is False
    members = schema["$defs"]["TypeEntry"]
    assert set(members["properties"]) >= {
        "program",
        "decide",
        "apply",
        "initial",
        "snapshot_threshold",
        "snapshot_bytes",
        "snapshot_age",
        "record_commands",
        "projection",
        "gas",
    }
    assert members["additionalProperties"] is False


def test_both_schemas_resolve_their_own_references() -> None:
    for schema in (settings_schema(), manifest_schema()):
        waiting: list[object] = [schema]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                if isinstance(reference := value.get("$ref"), str):
                    assert reference.removeprefix("#/$defs/") in schema["$defs"]
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)
