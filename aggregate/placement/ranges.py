"""`TenantRange`: tenants by the first character of their name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from aggregate.errors import ValidationError, quote

_CHARACTER = re.compile(r"[a-z0-9_-]\Z")
_RANGE = re.compile(r"(.)-(.)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class TenantRange:
    """The tenants whose first character, in lower case, is `start` to `end`, both included, in the order of ASCII: `-`, `0-9`, `_`, `a-z`.

    Raises:
        ValidationError: an end is no single character of a tenant's name, or they are the wrong way round.
    """

    start: str
    end: str

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            if not isinstance(value, str) or _CHARACTER.match(value.lower()) is None:
                raise ValidationError(f"a range goes from one of a-z, 0-9, '_' or '-' to another, got {quote(value)}", name)
            object.__setattr__(self, name, value.lower())
        if self.start > self.end:
            raise ValidationError(f"the range {self} is empty: {self.start!r} comes after {self.end!r}", "start")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The range that is written `a-m`. Raises ValidationError."""
        found = _RANGE.match(text)
        if found is None:
            raise ValidationError(f"a range is written like a-m or 0-9, got {quote(text)}", "range")
        return cls(found[1], found[2])

    def __contains__(self, tenant: str) -> bool:
        return tenant != "" and self.start <= tenant[0].lower() <= self.end

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"

    def overlaps(self, other: TenantRange) -> bool:
        """Whether a tenant can be in both."""
        return self.start <= other.end and other.start <= self.end
