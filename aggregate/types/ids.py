"""Names of things: tenant, aggregate, type, version. Checked where they are made, so that nothing downstream checks again."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Self

import uuid_utils

from aggregate.errors import ValidationError, quote

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core.core_schema import CoreSchema

TENANT_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
TYPE_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
UUID_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
MAX_VERSION = 2**63 - 1


def canonical_uuid(value: str, field: str) -> str:
    """`value` as a canonical lower-case UUID.

    Raises:
        ValidationError: it is none; `field` names it.
    """
    text = value.lower() if isinstance(value, str) else value
    if not isinstance(text, str) or UUID_PATTERN.match(text) is None:
        raise ValidationError(f"expected a UUID like 0190b3f0-7c1e-7cc3-a5a0-0123456789ab, got {quote(value)}", field)
    return text


def new_uuid7() -> str:
    """A fresh version 7 UUID (RFC 9562), canonical text."""
    return str(uuid_utils.uuid7())


def uuid7_milliseconds(value: str) -> int | None:
    """Unix milliseconds of a version 7 UUID (canonical text), None for another version."""
    return int(value[:8] + value[9:13], 16) if value[14] == "7" else None


class _Name(str):
    """A checked string. Equal to and hashed as its text, so it serves as a key and goes into JSON as it is."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - pydantic alone calls this; who does not use it need not load it

        return core_schema.no_info_plain_validator_function(cls._validated, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def _validated(cls, value: Any) -> Self:
        try:
            return cls(value)
        except ValidationError as error:
            raise ValueError(str(error)) from error


class TenantId(_Name):
    """A tenant: 1 to 64 of `A-Z a-z 0-9 _ -`, or empty where there are no tenants.

    Raises:
        ValidationError: the value has another form.
    """

    __slots__ = ()

    def __new__(cls, value: str = "") -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str) or (value and TENANT_PATTERN.match(value) is None):
            raise ValidationError(f"a tenant is 1 to 64 letters, digits, '_' or '-', got {quote(value)}", "x-tenant-id")
        return super().__new__(cls, value)

    def is_empty(self) -> bool:
        """Whether this is the tenant of a node without tenants."""
        return not self


class AggregateId(_Name):
    """An aggregate's id: a UUID of any version, canonical lower case.

    Raises:
        ValidationError: the value is no UUID.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        if isinstance(value, cls):
            return value
        return super().__new__(cls, canonical_uuid(value, "aggregate_id"))

    @classmethod
    def new_v7(cls) -> Self:
        """A fresh version 7 id: ids made later sort later."""
        return cls(new_uuid7())

    @property
    def bytes(self) -> bytes:
        """The 16 bytes."""
        return uuid.UUID(self).bytes


class AggregateType(_Name):
    """A kind of aggregate (`Account`): a letter, then up to 63 letters, digits, `_` or `-`.

    Raises:
        ValidationError: the value has another form.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str) or TYPE_PATTERN.match(value) is None:
            raise ValidationError(f"a type is a letter and up to 63 letters, digits, '_' or '-', got {quote(value)}", "aggregate_type")
        return super().__new__(cls, value)


class Version(int):
    """Number of events of an aggregate: 0 before the first, then 1, 2, 3, ... (at most 2^63 - 1).

    Raises:
        ValidationError: negative, too large or no integer.
    """

    __slots__ = ()

    def __new__(cls, value: int = 0) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_VERSION:
            raise ValidationError(f"a version is an integer from 0 to {MAX_VERSION}, got {quote(value)}", "version")
        return super().__new__(cls, value)

    @classmethod
    def initial(cls) -> Self:
        """Version 0, before the first event."""
        return cls(0)

    def increment(self, by: int = 1) -> Version:
        """The version `by` events later."""
        return Version(int(self) + by)

    def as_u64(self) -> int:
        """The plain number."""
        return int(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - pydantic alone calls this; who does not use it need not load it

        return core_schema.no_info_after_validator_function(cls, core_schema.int_schema(ge=0, le=MAX_VERSION))
