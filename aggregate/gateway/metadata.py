"""What comes with a call beside the request: tenant, correlation, trace. Checked here, so that nothing behind it checks again.

Values end up in message headers and log lines, therefore only visible ASCII comes in. A `traceparent` of another form than W3C's is no
trace and is left out, as their recommendation says, together with its `tracestate`; a wrong tenant or correlation id is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aggregate.errors import ValidationError, quote
from aggregate.types import TenantId

TENANT = "x-tenant-id"
CORRELATION = "x-correlation-id"
COMMAND_ID = "x-command-id"
VISIBLE = re.compile(r"[\x21-\x7e]{1,128}\Z")
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]*)?\Z")
TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}\Z")
NOTE_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}\Z")
MAX_NOTES = 32
MAX_NOTE = 1024
CONTEXT = {CORRELATION: "correlation_id", "traceparent": "traceparent", "tracestate": "tracestate"}
"""Header to the name it has in a command's metadata, which no note may have."""
RESERVED = re.compile(r"(?i:correlation_id|traceparent|tracestate|aggregate\..*)\Z")


@dataclass(frozen=True, slots=True)
class TenantRules:
    """Who a call without `x-tenant-id` is for: `default`; with `required` and no default it is refused."""

    required: bool
    default: TenantId


@dataclass(frozen=True, slots=True)
class CallMetadata:
    """The checked metadata of a call. `context` holds those of `correlation_id`, `traceparent`, `tracestate` that came."""

    tenant_id: TenantId
    context: dict[str, str]


def read_metadata(metadata: Iterable[tuple[str, str | bytes]], rules: TenantRules) -> CallMetadata:
    """Read a call's metadata.

    Raises:
        ValidationError: names the header.
    """
    tenant: str | None = None
    given: dict[str, str] = {}
    for name, value in metadata:
        key = name.lower()
        if key == TENANT:
            if tenant is not None:
                raise ValidationError("given more than once", TENANT)
            tenant = _text(value)
        elif (known := CONTEXT.get(key)) is not None:
            if known in given:
                raise ValidationError("given more than once", key)
            given[known] = _text(value)
        elif key == COMMAND_ID:
            raise ValidationError("is what a node answers with; the id of a command is its field command_id", COMMAND_ID)
    return CallMetadata(_tenant(tenant, rules), _checked_context(given, CORRELATION) if given else given)


def command_metadata(notes: Mapping[str, str], own: Mapping[str, str], call: CallMetadata) -> dict[str, str]:
    """A command's metadata: the caller's notes and the context, the command's own over the call's.

    Raises:
        ValidationError: too many, a name or a value of a wrong form, a reserved name; names `metadata.<name>`.
    """
    if not notes and not own:
        return call.context
    if len(notes) > MAX_NOTES:
        raise ValidationError(f"at most {MAX_NOTES} entries, got {len(notes)}", "metadata")
    for name, value in notes.items():
        if NOTE_NAME.match(name) is None:
            raise ValidationError(f"a name is 1 to 64 letters, digits, '_', '.' or '-', got {quote(name)}", "metadata")
        if RESERVED.match(name) is not None:
            raise ValidationError(
                "the name is reserved; a command's context goes into its fields of that name, or into headers", f"metadata.{name}"
            )
        if len(value) > MAX_NOTE:
            raise ValidationError(f"a value has at most {MAX_NOTE} characters, got {len(value)}", f"metadata.{name}")
    context = call.context
    if own:
        checked = _checked_context(own, "correlation_id")
        if "traceparent" in checked:  # a tracestate belongs to its traceparent: the call's never joins the command's
            context = {name: value for name, value in context.items() if name == "correlation_id"}
        context = context | checked
    return {**notes, **context}


def completed(metadata: dict[str, str], command_id: str) -> dict[str, str]:
    """The metadata with a correlation id and a trace, where the caller gave none: both are made of the command's id, so that a retry has
    the same. Such a trace is marked as not sampled: nobody keeps it.
    """
    if "correlation_id" in metadata and "traceparent" in metadata:
        return metadata
    made = command_id.lower()
    digits = made.replace("-", "")
    context = {"correlation_id": made}
    if len(digits) == 32 and digits[16:].strip("0"):
        context["traceparent"] = f"00-{digits}-{digits[16:]}-00"
    return context | metadata


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _tenant(value: str | None, rules: TenantRules) -> TenantId:
    if value:
        return TenantId(value)
    if rules.required and rules.default.is_empty():
        raise ValidationError("this node has tenants: the header is required", TENANT)
    return rules.default


def _checked_context(given: Mapping[str, str], correlation_field: str) -> dict[str, str]:
    """What of `correlation_id`, `traceparent`, `tracestate` may go on."""
    kept: dict[str, str] = {}
    correlation = given.get("correlation_id")
    if correlation is not None:
        if VISIBLE.match(correlation) is None:
            raise ValidationError(f"expected 1 to 128 visible ASCII characters, got {quote(correlation)}", correlation_field)
        kept["correlation_id"] = correlation
    parent, state = given.get("traceparent", ""), given.get("tracestate", "")
    if VISIBLE.match(parent) is not None and TRACEPARENT.match(parent) is not None:
        kept["traceparent"] = parent
        if TRACESTATE.match(state) is not None:
            kept["tracestate"] = state
    return kept
