"""Page tokens: where the next page of one query begins, signed.

    base64url( mac(16) format(1) question(16) place )

The question is a digest of tenant, type, filter and order, so that a token is of use for nothing else. With the same secret all nodes
take each other's tokens, before and after a restart.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from aggregate.errors import ValidationError
from aggregate.query.interface import Query
from aggregate.types import TenantId

FORMAT: Final = b"\1"
MOST: Final = 64 * 1024
_MAC: Final = 16
_QUESTION: Final = 16


class PageTokens:
    """Makes tokens and reads them."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(b"aggregate page tokens\0" + secret).digest()

    def make(self, tenant_id: TenantId, query: Query, place: bytes) -> str:
        """The token to go on after a place.

        Raises:
            ValidationError: the values ordered by are too long for a token.
        """
        if len(place) > MOST:
            raise ValidationError(
                f"the values ordered by have {len(place)} bytes; there is no page behind one of more than {MOST}", "order_by"
            )
        body = FORMAT + _question(tenant_id, query) + place
        return base64.urlsafe_b64encode(self._mac(body) + body).rstrip(b"=").decode()

    def place(self, tenant_id: TenantId, query: Query) -> bytes:
        """The place that the token of a query names, b"" where it has none.

        Raises:
            ValidationError: it was not made here, or for another query.
        """
        text = query.page_token
        if not text:
            return b""
        try:
            raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
        except ValueError:
            raw = b""
        mac, body = raw[:_MAC], raw[_MAC:]
        whole = len(body) > len(FORMAT) + _QUESTION and base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == text
        if not whole or not hmac.compare_digest(mac, self._mac(body)) or not body.startswith(FORMAT):
            raise ValidationError("not a token of this service; begin with the first page", "page_token")
        at = len(FORMAT)
        if body[at : at + _QUESTION] != _question(tenant_id, query):
            raise ValidationError(
                "it belongs to another query: tenant, type, filter and order must be those of the page before", "page_token"
            )
        return body[at + _QUESTION :]

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_MAC]


def _question(tenant_id: TenantId, query: Query) -> bytes:
    order = ",".join(f"{'-' if key.descending else '+'}{key.path}" for key in query.order_by)
    parts = (str(tenant_id), str(query.aggregate_type or ""), query.filter, order)
    return hashlib.sha256(b"".join(b"%d:%b" % (len(part.encode()), part.encode()) for part in parts)).digest()[:_QUESTION]
