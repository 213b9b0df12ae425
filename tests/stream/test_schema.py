"""The JSON Schema for consumers in other languages says what the codec writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from aggregate.stream.codec import encode_body
from tests.stream.messages import new_commit, new_key, new_message

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "commit-message.schema.json").read_text())
TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "integer": int}


def violations(value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
    """What `value` has against `schema`: as much of JSON Schema as ours uses."""
    if "$ref" in schema:
        return violations(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], place)
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return [f"{place} is no {schema['type']}"]
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{place} is not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place} is none of {schema['enum']}")
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        found.append(f"{place} does not match")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{place} is too small")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{place} has {len(value)} items")
        found += [each for index, item in enumerate(value) for each in violations(item, schema["items"], f"{place}[{index}]")]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{place} lacks {name}" for name in schema.get("required", ()) if name not in value]
        for name, member in value.items():
            rest = schema.get("additionalProperties", True)
            if name in known:
                found += violations(member, known[name], f"{place}.{name}")
            elif rest is False:
                found.append(f"{place} has {name}")
            elif isinstance(rest, dict):
                found += violations(member, rest, f"{place}.{name}")
    return found


@pytest.mark.parametrize("tenant", ["", "tenant-a"])
def test_what_is_written_is_what_the_schema_says(tenant: str) -> None:
    commits = (new_commit(1, 2, metadata={"correlation_id": "c"}), new_commit(3, refused=True), new_commit(3, 0, command=None))
    assert violations(json.loads(encode_body(new_message(new_key(tenant), *commits))), SCHEMA) == []


def test_every_member_of_the_schema_is_written_by_some_message() -> None:
    commit = json.loads(encode_body(new_message(new_key(), new_commit(refused=True), new_commit())))["commits"]
    definitions = SCHEMA["$defs"]
    assert {name for each in commit for name in each} == set(definitions["commit"]["properties"])
    assert set(commit[0]["refused"]) == set(definitions["refusal"]["properties"])
    assert set(commit[1]["events"][0]) == set(definitions["event"]["properties"])


@pytest.mark.parametrize(
    "change", [{"v": 2}, {"more": 1}, {"commits": []}, {"tenant_id": "a.b"}, {"generation": -1}, {"aggregate_id": "X"}]
)
def test_what_is_not_written_is_against_the_schema(change: dict[str, Any]) -> None:
    message = json.loads(encode_body(new_message(new_key())))
    assert violations({**message, **change}, SCHEMA)
