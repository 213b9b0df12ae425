"""Errors on the wire: the tree of `aggregate.errors` as google.rpc.Status and back, side by side so that the two directions agree.

A status carries ErrorInfo (`reason`, domain `aggregate`, and metadata: the error's details, its class's `code`, the `command_id`), for
wrong input BadRequest with the fields, and RetryInfo where a retry can help. All of it together stays below what gRPC lets through as
trailing metadata (8 KiB, after base64), so long texts are cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from aggregate import errors

DOMAIN = "aggregate"
MAX_REASON = 128
MAX_MESSAGE = 512
MAX_DETAIL = 2048
MAX_VIOLATIONS = 8
INTERNAL_MESSAGE = "internal error; the node's log has the details"


def to_status(error: BaseException, command_id: str = "") -> status_pb2.Status:
    """The status that tells a caller of `error`. What is no `AggregateError` is a defect of ours and tells nothing of the inside."""
    if not isinstance(error, errors.AggregateError):
        error = errors.AggregateError(INTERNAL_MESSAGE)
    metadata = _metadata(error.details)
    metadata["code"] = error.code
    if command_id:
        metadata["command_id"] = command_id
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=_cut(error.reason, MAX_REASON), domain=DOMAIN, metadata=metadata)]
    violations = _violations(error)
    if violations:
        bad = error_details_pb2.BadRequest()
        for field, description in violations[:MAX_VIOLATIONS]:
            bad.field_violations.add(field=field, description=_cut(description, MAX_MESSAGE // min(len(violations), MAX_VIOLATIONS)))
        details.append(bad)
    if error.retryable:
        details.append(error_details_pb2.RetryInfo(retry_delay=_duration(error.retry_after or 0.0)))
    status = status_pb2.Status(code=code_pb2.Code.Value(error.status), message=_cut(str(error), MAX_MESSAGE))
    for detail in details:
        status.details.add().Pack(detail)
    return status


def from_status(status: status_pb2.Status) -> errors.AggregateError | None:
    """The error that `to_status` told of, or None where the status does not come from a node (a proxy, gRPC itself)."""
    info = _unpack(status, error_details_pb2.ErrorInfo)
    if info is None or info.domain != DOMAIN:
        return None
    told = _Told(status, info)
    build = _BUILDERS.get(told.metadata.get("code", ""))
    if build is None:
        return errors.AggregateError(told.message)
    try:
        return build(told)
    except (KeyError, ValueError):
        return errors.AggregateError(told.message)  # a newer node's words: the text still says what happened


def _cut(text: str, size: int) -> str:
    """`text` in at most `size` bytes of UTF-8."""
    data = text.encode("utf-8", "replace")
    return data.decode() if len(data) <= size else data[: size - 3].decode("utf-8", "ignore") + "…"


def _metadata(details: Mapping[str, str]) -> dict[str, str]:
    """The details that fit; a too long one is left out, because half a JSON text is none."""
    kept: dict[str, str] = {}
    room = MAX_DETAIL
    for name, value in details.items():
        size = len(value.encode("utf-8", "replace"))
        if size <= room:
            kept[name] = value
            room -= size
        else:
            kept[f"{name}_omitted"] = f"{size} bytes"
    return kept


def _duration(seconds: float) -> duration_pb2.Duration:
    return duration_pb2.Duration(seconds=int(seconds), nanos=round((seconds - int(seconds)) * 1e9))


def _violations(error: errors.AggregateError) -> list[tuple[str, str]]:
    """(field, what is wrong with it) of an error about input."""
    match error:
        case errors.ValidationError():
            return [(error.field, error.description)]
        case errors.DocumentError() | errors.MessageTooLarge():
            return [("payload", str(error))]
        case errors.ConfigError():
            return [(mistake.place, mistake.message) for mistake in error.mistakes]
        case errors.CompileError():
            return [(f"{record.line}:{record.column}", record.message) for record in error.records]
    return []


def _unpack(status: status_pb2.Status, kind: type[Any]) -> Any:
    detail: any_pb2.Any
    for detail in status.details:
        if detail.Is(kind.DESCRIPTOR):
            found = kind()
            detail.Unpack(found)
            return found
    return None


class _Told:
    """A status taken apart."""

    def __init__(self, status: status_pb2.Status, info: error_details_pb2.ErrorInfo) -> None:
        self.message = status.message
        self.reason = info.reason
        self.metadata = dict(info.metadata)
        bad = _unpack(status, error_details_pb2.BadRequest)
        self.violations = [(one.field, one.description) for one in bad.field_violations] if bad is not None else []
        retry = _unpack(status, error_details_pb2.RetryInfo)
        self.retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if retry is not None else 0.0

    def number(self, name: str) -> int:
        return int(self.metadata[name])

    def record(self) -> errors.ErrorRecord:
        """The program's error record; `str` of one without words is what the message starts with."""
        kind, _, code = self.reason.partition("/")
        line, column = (int(self.metadata[name]) if name in self.metadata else None for name in ("line", "column"))
        place = (line, column, self.metadata.get("function"), int(self.metadata.get("gas_used", 0)))
        start = str(errors.ErrorRecord(kind, code, "", *place))
        return errors.ErrorRecord(kind, code, self.message.removeprefix(start), *place)

    def records(self) -> list[errors.ErrorRecord]:
        places = [(field.partition(":"), description) for field, description in self.violations]
        return [errors.ErrorRecord("compile", "", words, int(at[0]), int(at[2]), None, 0) for at, words in places]

    def rejected(self) -> errors.Rejected:
        details = self.metadata.get("details", "{}").encode()
        return errors.Rejected(self.reason, self.message.removeprefix(f"{self.reason}: "), details, int(self.metadata.get("gas_used", 0)))

    def invalid(self) -> errors.ValidationError:
        field, description = self.violations[0] if self.violations else ("", self.message)
        return errors.ValidationError(description, field)

    def document(self) -> errors.DocumentError:
        members = dict.fromkeys(errors.ErrorRecord.__slots__)
        return errors.DocumentError(json.dumps({**members, "message": self.message, "gas_used": 0}).encode())

    def unknown(self) -> errors.OutcomeUnknown:
        command_id = self.metadata["command_id"]
        start, end = str(errors.OutcomeUnknown(command_id)).split(";")
        why = self.message.removeprefix(start).removesuffix(f";{end}").removeprefix(": ")
        return errors.OutcomeUnknown(command_id, why)


_BUILDERS: dict[str, Callable[[_Told], errors.AggregateError]] = {
    errors.AggregateError.code: lambda told: errors.AggregateError(told.message),
    errors.ValidationError.code: _Told.invalid,
    errors.ConfigError.code: lambda told: errors.ConfigError([errors.Mistake(*pair) for pair in told.violations]),
    errors.CompileError.code: lambda told: errors.CompileError(told.records()),
    errors.DocumentError.code: _Told.document,
    errors.TenantAccessDenied.code: lambda told: errors.TenantAccessDenied(told.metadata["tenant_id"], told.message),
    errors.VersionConflict.code: lambda told: errors.VersionConflict(told.number("expected"), told.number("actual")),
    errors.CommandIdReused.code: lambda told: errors.CommandIdReused(told.metadata["command_id"]),
    errors.NotFound.code: lambda told: errors.NotFound(told.message.removeprefix("no aggregate ")),
    errors.ProgramError.code: lambda told: errors.ProgramError(told.record()),
    errors.DecideError.code: lambda told: errors.DecideError(told.record()),
    errors.Rejected.code: _Told.rejected,
    errors.ApplyError.code: lambda told: errors.ApplyError(told.record()),
    errors.RehydrationError.code: lambda told: errors.RehydrationError(told.message),
    errors.StorageError.code: lambda told: errors.StorageError(told.message),
    errors.StreamError.code: lambda told: errors.StreamError(told.message),
    errors.StreamConflict.code: lambda told: errors.StreamConflict(told.message),
    errors.MessageTooLarge.code: lambda told: errors.MessageTooLarge(told.number("size"), told.number("limit")),
    errors.OutcomeUnknown.code: _Told.unknown,
    errors.Overloaded.code: lambda told: errors.Overloaded(told.message, told.reason, told.retry_after),
    errors.Unavailable.code: lambda told: errors.Unavailable(told.message, told.reason, told.retry_after),
    errors.DeadlineExceeded.code: lambda told: errors.DeadlineExceeded(told.message),
    errors.Unauthenticated.code: lambda told: errors.Unauthenticated(told.message),
}
