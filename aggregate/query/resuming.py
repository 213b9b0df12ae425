"""Resume tokens of live queries: where somebody stood, of which question, over which projection.

A token names its tenant, type and filter by a digest over all of it, so one of another question, of another tenant or with a changed
letter is refused. It is no secret and needs none: all it opens is what its tenant may watch anyway, from another place on. So any node
takes what any other gave out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from aggregate.errors import ValidationError
from aggregate.stream.positions import sequence_of
from aggregate.types import AggregateType, TenantId

FORMAT = b"\1"
CHECK = 12
MADE_OF = 8


@dataclass(frozen=True, slots=True)
class Question:
    """What is watched: watchers of one question are told the same."""

    tenant_id: TenantId
    aggregate_type: AggregateType | None
    filter: str


@dataclass(frozen=True, slots=True)
class Resume:
    """A token, read.

    Attributes:
        made_of: digest of the incarnation that it is of.
    """

    made_of: bytes
    position: str


def write_token(question: Question, incarnation: str, position: str) -> str:
    """The token for a place."""
    body = digest_of(incarnation) + position.encode()
    return _text(FORMAT + _check(question, body) + body)


def read_token(question: Question, token: str) -> Resume:
    """The place a token names.

    Raises:
        ValidationError: it is none, or of another question; names `resume_token`.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, body = raw[1 : CHECK + 1], raw[CHECK + 1 :]
        if raw[:1] == FORMAT and check == _check(question, body) and token == _text(raw):
            position = body[MADE_OF:].decode()
            sequence_of(position)
            return Resume(body[:MADE_OF], position)
    except (binascii.Error, ValueError, ValidationError):
        pass
    raise ValidationError("not a token of this type and filter: leave it out to begin anew", "resume_token")


def digest_of(incarnation: str) -> bytes:
    """How an incarnation is named in a token."""
    return hashlib.sha256(incarnation.encode()).digest()[:MADE_OF]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _check(question: Question, body: bytes) -> bytes:
    told = f"{question.tenant_id}\0{question.aggregate_type or ''}\0{question.filter}\0".encode("utf-8", "surrogatepass")
    return hashlib.sha256(FORMAT + told + body).digest()[:CHECK]
