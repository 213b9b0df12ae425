"""Every error the library raises, as one tree; each kind knows its code, its gRPC status and whether a retry can help.

    AggregateError
    ├── ValidationError            a caller's input is wrong: names the field
    ├── ConfigError                settings or manifest: every mistake with its place
    ├── CompileError               a program's source: every mistake with line and column
    ├── DocumentError              JSON that is no document of the language
    ├── TenantAccessDenied         the aggregate belongs to another tenant
    ├── VersionConflict            somebody else wrote first (also: `expected_version` did not hold)
    ├── CommandIdReused            the command id was used with another payload
    ├── NotFound                   no such aggregate
    ├── DecideError                the program failed while deciding
    │   └── Rejected               the program said no: a business outcome
    ├── ApplyError                 the program failed while applying an event
    ├── RehydrationError           the stored history cannot be folded
    ├── StorageError               LMDB
    ├── StreamError                JetStream
    │   ├── StreamConflict         an append's condition did not hold (handled inside, never an answer)
    │   ├── MessageTooLarge        over the server's max_payload
    │   └── OutcomeUnknown         sent, but nobody can say yet whether it was stored
    ├── Overloaded                 a queue, quota or in-flight limit is full
    ├── Unavailable                breaker open, draining, not connected, not ready
    ├── DeadlineExceeded           the caller's deadline passed before the append
    └── Unauthenticated            no or bad credentials

The status names are those of gRPC (https://grpc.io/docs/guides/status-codes/); `gateway/` and `admin/` map from here and nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

CUT = 80
"""Values quoted in messages are cut at this many characters."""


def quote(value: object) -> str:
    """`value` as it is shown in messages: repr, cut at `CUT` characters."""
    text = repr(value)
    return text if len(text) <= CUT else text[: CUT - 1] + "…"


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """An error of the language: what went wrong where in a program (`docs/language.md`, section 9)."""

    kind: str
    code: str
    message: str
    line: int | None
    column: int | None
    function: str | None
    gas_used: int

    @classmethod
    def from_json(cls, record: bytes) -> ErrorRecord:
        """Read the record that an engine made (a fold's extra members are left out)."""
        members = json.loads(record)
        return cls(*(members[name] for name in cls.__slots__))

    def __str__(self) -> str:
        where = f" at {self.line}:{self.column}" if self.line is not None else ""
        function = f" in {self.function}" if self.function else ""
        return f"{self.kind}/{self.code}{where}{function}: {self.message}"


class AggregateError(Exception):
    """Root of the tree.

    Attributes:
        code: stable reason, lower snake case; the `reason` of gRPC's ErrorInfo.
        status: name of the gRPC status.
        retryable: whether the same request may succeed later without a change.
        retry_after: seconds after which a retry makes sense, if known.
    """

    code: ClassVar[str] = "internal"
    status: str = "INTERNAL"
    retryable: ClassVar[bool] = False
    retry_after: float | None = None

    @property
    def reason(self) -> str:
        """The reason told to a caller: the class's code, unless the error brings its own."""
        return self.code

    @property
    def details(self) -> dict[str, str]:
        """What goes into ErrorInfo's metadata."""
        return {}


class ValidationError(AggregateError):
    """A caller's input is wrong. `field` is the name the caller used (`x-tenant-id`, `payload`, ...)."""

    code = "invalid_argument"
    status = "INVALID_ARGUMENT"

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.description = message

    @property
    def details(self) -> dict[str, str]:
        return {"field": self.field} if self.field else {}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a configuration: where and what."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class ConfigError(AggregateError):
    """Settings, manifest or placement are wrong; `mistakes` lists all of them at once."""

    code = "config"
    status = "FAILED_PRECONDITION"

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


class CompileError(AggregateError):
    """A source does not compile; `records` lists every mistake found, in the order of the source."""

    code = "compile"
    status = "INVALID_ARGUMENT"

    def __init__(self, records: list[ErrorRecord]) -> None:
        super().__init__("\n".join(str(record) for record in records))
        self.records = records

    @property
    def record(self) -> ErrorRecord:
        """The first mistake."""
        return self.records[0]


class DocumentError(AggregateError):
    """JSON text is no document of the language. `record` is the language's error record as JSON bytes."""

    code = "bad_document"
    status = "INVALID_ARGUMENT"

    def __init__(self, record: bytes) -> None:
        self.record = record
        super().__init__(ErrorRecord.from_json(record).message)


class TenantAccessDenied(AggregateError):
    """The aggregate belongs to another tenant, or the token does. Says nothing about the owner."""

    code = "tenant_access_denied"
    status = "PERMISSION_DENIED"

    def __init__(self, tenant_id: object, message: str = "") -> None:
        super().__init__(message or f"tenant {str(tenant_id)!r} has no access to this aggregate")
        self.tenant_id = tenant_id

    @property
    def details(self) -> dict[str, str]:
        return {"tenant_id": str(self.tenant_id)}


class VersionConflict(AggregateError):
    """The aggregate is not at the version that was expected."""

    code = "version_conflict"
    status = "ABORTED"
    retryable = True

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"expected version {int(expected)}, the aggregate is at {int(actual)}")
        self.expected = expected
        self.actual = actual

    @property
    def details(self) -> dict[str, str]:
        return {"expected": str(int(self.expected)), "actual": str(int(self.actual))}


class CommandIdReused(AggregateError):
    """The command id stands in the log with another payload."""

    code = "command_id_reused"
    status = "ALREADY_EXISTS"

    def __init__(self, command_id: str) -> None:
        super().__init__(f"command id {command_id} was already used with another payload; a new command wants a new id")
        self.command_id = command_id


class NotFound(AggregateError):
    """No such aggregate."""

    code = "not_found"
    status = "NOT_FOUND"

    def __init__(self, aggregate_id: object) -> None:
        super().__init__(f"no aggregate {aggregate_id}")
        self.aggregate_id = aggregate_id


class ProgramError(AggregateError):
    """A program failed; `record` says where and why."""

    code = "program"

    def __init__(self, record: ErrorRecord) -> None:
        super().__init__(str(record))
        self.record = record
        if record.code == "out_of_gas":
            self.status = "RESOURCE_EXHAUSTED"

    @property
    def reason(self) -> str:
        return f"{self.record.kind}/{self.record.code}"

    @property
    def details(self) -> dict[str, str]:
        record = self.record
        place = {"line": record.line, "column": record.column, "function": record.function, "gas_used": record.gas_used}
        return {name: str(value) for name, value in place.items() if value is not None}


class DecideError(ProgramError):
    """`decide` failed (`Rejected`: it said no)."""

    code = "decide_error"


class Rejected(DecideError):
    """The program rejected the command: a business outcome, not a fault.

    Attributes:
        rejection_code: the program's own code, e.g. `insufficient_funds`.
        message: the program's words.
        rejection_details: canonical JSON of the program's details.
    """

    code = "rejected"
    status = "FAILED_PRECONDITION"

    def __init__(self, code: str, message: str, details: bytes = b"{}", gas_used: int = 0) -> None:
        super().__init__(ErrorRecord("rejected", code, message, None, None, None, gas_used))
        self.rejection_code = code
        self.message = message
        self.rejection_details = details

    def __str__(self) -> str:
        return f"{self.rejection_code}: {self.message}"

    @property
    def reason(self) -> str:
        return self.rejection_code

    @property
    def details(self) -> dict[str, str]:
        return {"details": self.rejection_details.decode(), "gas_used": str(self.record.gas_used)}


class ApplyError(ProgramError):
    """`apply` failed on an event: the event is not stored."""

    code = "apply_error"


class RehydrationError(AggregateError):
    """The stored history of an aggregate cannot be folded."""

    code = "rehydration"


class StorageError(AggregateError):
    """LMDB failed."""

    code = "storage"


class StreamError(AggregateError):
    """JetStream failed."""

    code = "stream"


class StreamConflict(StreamError):
    """An append's condition did not hold. `actual` is the sequence the server named, where it did."""

    code = "stream_conflict"
    status = "ABORTED"
    retryable = True

    def __init__(self, message: str, error_code: int = 0, actual: int | None = None) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.actual = actual


class MessageTooLarge(StreamError):
    """The command's events do not fit into one message of the server."""

    code = "too_large"
    status = "INVALID_ARGUMENT"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the commit would be {size} bytes, the server takes {limit}; send a smaller command")
        self.size = size
        self.limit = limit

    @property
    def details(self) -> dict[str, str]:
        return {"size": str(self.size), "limit": str(self.limit)}


class OutcomeUnknown(StreamError):
    """A command was sent to the log and nobody can say yet whether it was stored; a retry with the same id tells."""

    code = "outcome_unknown"
    status = "UNAVAILABLE"
    retryable = True
    retry_after = 1.0

    def __init__(self, command_id: str, why: str = "") -> None:
        super().__init__(f"the outcome of command {command_id} is unknown{': ' + why if why else ''}; send it again with the same id")
        self.command_id = command_id

    @property
    def details(self) -> dict[str, str]:
        return {"command_id": self.command_id}


class Overloaded(AggregateError):
    """A queue, quota or in-flight limit is full."""

    code = "overloaded"
    status = "RESOURCE_EXHAUSTED"
    retryable = True

    def __init__(self, message: str, reason: str = "overloaded", retry_after: float = 0.1) -> None:
        super().__init__(message)
        self._reason = reason
        self.retry_after = retry_after

    @property
    def reason(self) -> str:
        return self._reason


class Unavailable(AggregateError):
    """The node cannot keep its promise now: breaker open, draining, not connected, outdated."""

    code = "unavailable"
    status = "UNAVAILABLE"
    retryable = True

    def __init__(self, message: str, reason: str = "unavailable", retry_after: float = 1.0) -> None:
        super().__init__(message)
        self._reason = reason
        self.retry_after = retry_after

    @property
    def reason(self) -> str:
        return self._reason


class DeadlineExceeded(AggregateError):
    """The caller's deadline passed before the append: nothing was stored."""

    code = "deadline_exceeded"
    status = "DEADLINE_EXCEEDED"


class Unauthenticated(AggregateError):
    """No or bad credentials."""

    code = "unauthenticated"
    status = "UNAUTHENTICATED"
