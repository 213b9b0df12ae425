"""Reading an envelope from a mapping: every member known, none missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from aggregate.errors import ValidationError, quote


def known_members(kind: type[Any], members: Mapping[str, Any]) -> dict[str, Any]:
    """`members` as arguments of the dataclass `kind`.

    Raises:
        ValidationError: a required member is missing, or one is not known; names it.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in members:
        if name not in fields:
            raise ValidationError(f"unknown member {quote(name)} of {kind.__name__}; known are {', '.join(fields)}", str(name))
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in members:
            raise ValidationError(f"{kind.__name__} lacks {quote(name)}", name)
    return dict(members)
