"""How a request ends in an error: the tree of `aggregate.errors` and what is HTTP's alone, as one form of JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from aggregate.admin.route import Answer
from aggregate.errors import AggregateError, Unauthenticated

HTTP_STATUS: Mapping[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "CANCELLED": 499,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The one map from the tree's gRPC statuses to HTTP's."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What went wrong.

    Attributes:
        code: the kind of error, one of a fixed list.
        reason: the same, or something more precise.
        message: for people.
        retryable: whether the same request may succeed later.
    """

    code: str
    reason: str
    message: str
    retryable: bool = False
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The body of every answer that is an error."""

    error: ErrorBody


class Refused(Exception):
    """A request that HTTP itself has a status for: no such path, no JSON, not allowed, ..."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def answer_of(error: Exception) -> tuple[Answer, dict[str, str]]:
    """The answer that tells of an error, and its headers. What is no error of ours tells nothing of the inside."""
    headers: dict[str, str] = {}
    if isinstance(error, Refused):
        code = HTTPStatus(error.status).name.lower()
        return Answer(ErrorAnswer(ErrorBody(code, code, str(error))), error.status), headers
    if not isinstance(error, AggregateError):
        error = AggregateError("internal error; the node's log has the details")
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="aggregate"'
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    body = ErrorBody(error.code, error.reason, str(error), error.retryable, error.details)
    return Answer(ErrorAnswer(body), HTTP_STATUS[error.status]), headers
