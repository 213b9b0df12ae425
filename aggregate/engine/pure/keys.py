"""Subjects and snapshot keys, composed for every command: the Python twin of `native/_keys.pyx`.

Every token is checked as it goes in: a tenant with a dot in it would be somebody else's subject, so composing is the last place that
can refuse one. Tenant `[A-Za-z0-9_-]{1,64}` or empty (token `~` in a subject), type `[A-Za-z][A-Za-z0-9_-]{0,63}`, id a canonical
lower-case UUID.
"""

from __future__ import annotations

import re

_TENANT = re.compile(r"[A-Za-z0-9_-]{0,64}")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SUBJECT = re.compile(rf"tenant\.(~|[A-Za-z0-9_-]{{1,64}})\.aggregate\.({_TYPE.pattern})\.({_ID.pattern})")

DIGEST_SIZE = 8
VERSION_LIMIT = 1 << 64


def subject(tenant: str, aggregate_type: str, aggregate_id: str) -> str:
    """`tenant.<tenant or ~>.aggregate.<type>.<id>`, the subject of one aggregate.

    Raises:
        ValueError: a token is not of its form.
    """
    _check(tenant, aggregate_type, aggregate_id)
    return f"tenant.{tenant or '~'}.aggregate.{aggregate_type}.{aggregate_id}"


def split_subject(subject: str) -> tuple[str, str, str]:
    """The (tenant, type, id) that `subject` was composed of.

    Raises:
        ValueError: not the subject of an aggregate.
    """
    match = _SUBJECT.fullmatch(subject)
    if match is None:
        raise ValueError("not the subject of an aggregate")
    tenant, aggregate_type, aggregate_id = match.groups()
    return "" if tenant == "~" else tenant, aggregate_type, aggregate_id


def snapshot_prefix(tenant: str, aggregate_id: str, aggregate_type: str) -> bytes:
    """What all snapshots of an aggregate start with: tenant NUL, the 16 bytes of the id, type NUL.

    Raises:
        ValueError: a token is not of its form.
    """
    _check(tenant, aggregate_type, aggregate_id)
    return b"%b\0%b%b\0" % (tenant.encode(), bytes.fromhex(aggregate_id.replace("-", "")), aggregate_type.encode())


def snapshot_key(prefix: bytes, digest8: bytes, version: int) -> bytes:
    """The key of one snapshot: `prefix`, 8 bytes of the program's digest, version as 8 bytes big endian.

    Raises:
        ValueError: the digest is not 8 bytes, or the version is outside 0..2^64 - 1.
    """
    if len(digest8) != DIGEST_SIZE:
        raise ValueError("the digest of a snapshot key has 8 bytes")
    if not 0 <= version < VERSION_LIMIT:
        raise ValueError("the version of a snapshot key is an integer of 64 bits")
    return prefix + digest8 + version.to_bytes(8, "big")


def _check(tenant: str, aggregate_type: str, aggregate_id: str) -> None:
    """Refuse tokens that are not of their form."""
    if _TENANT.fullmatch(tenant) is None:
        raise ValueError("not a tenant")
    if _TYPE.fullmatch(aggregate_type) is None:
        raise ValueError("not an aggregate type")
    if _ID.fullmatch(aggregate_id) is None:
        raise ValueError("not a canonical lower-case UUID")
