"""The owner message: says which tenant an aggregate id belongs to (scope `global`). Body `{"tenant_id":...,"v":1}`, canonical JSON."""

from __future__ import annotations

import orjson

from aggregate.errors import StreamError, ValidationError, quote
from aggregate.types import TenantId

FORMAT_VERSION = 1


def encode_owner(tenant_id: TenantId) -> bytes:
    """The body of an owner message."""
    return f'{{"tenant_id":"{tenant_id}","v":{FORMAT_VERSION}}}'.encode()


def decode_owner(body: bytes) -> TenantId:
    """The tenant that an owner message names.

    Raises:
        StreamError: damaged, or of a version that this node does not know.
    """
    try:
        members = orjson.loads(body)
        if members["v"] != FORMAT_VERSION:
            raise StreamError(f"owner message of format version {members['v']!r}; this node knows {FORMAT_VERSION}: update it")
        return TenantId(members["tenant_id"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise StreamError(f"owner message damaged: {quote(body)}") from error
