"""Whatever comes with a call: refused by name, or fit for headers and log lines."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregate.errors import ValidationError
from aggregate.gateway.metadata import TENANT, TenantRules, command_metadata, read_metadata
from aggregate.types import TenantId

OPEN = TenantRules(required=False, default=TenantId())
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NAMES = st.sampled_from(
    [TENANT, "x-correlation-id", "traceparent", "tracestate", "authorization", "X-Tenant-Id", "user-agent", "x-command-id"]
)
VALUES = st.one_of(st.text(max_size=200), st.binary(max_size=20), st.sampled_from(["acme", TRACE, "a=1", "\r\nNats-TTL: 1s", ""]))
VISIBLE = re.compile(r"[\x20-\x7e]{1,512}")


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_what_comes_in_is_visible_ascii_or_nothing_does(metadata: list[tuple[str, str | bytes]]) -> None:
    try:
        call = read_metadata(metadata, OPEN)
    except ValidationError as error:
        assert error.field in {TENANT, "x-correlation-id", "traceparent", "tracestate", "x-command-id"}  # noqa: PT017 - either may happen
        return
    assert re.fullmatch(r"[A-Za-z0-9_-]{0,64}", call.tenant_id)
    assert set(call.context) <= {"correlation_id", "traceparent", "tracestate"}
    assert all(VISIBLE.fullmatch(value) for value in call.context.values())
    assert "tracestate" not in call.context or "traceparent" in call.context


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(["Correlation_ID", "traceparent", "aggregate.x"]), st.text(max_size=70)),
        st.text(max_size=1100),
        max_size=40,
    ),
    st.dictionaries(st.sampled_from(["correlation_id", "traceparent", "tracestate"]), VALUES.filter(lambda value: isinstance(value, str))),
)
def test_notes_are_bounded_and_never_pass_for_context(notes: dict[str, str], own: dict[str, str]) -> None:
    call = read_metadata([("x-correlation-id", "corr-1")], OPEN)
    try:
        made = command_metadata(notes, own, call)
    except ValidationError as error:
        assert error.field.startswith("metadata") or error.field == "correlation_id"  # noqa: PT017 - either may happen
        return
    assert made["correlation_id"] == own.get("correlation_id", "corr-1")
    context = {name for name in made if name in {"correlation_id", "traceparent", "tracestate"}}
    assert notes == {name: value for name, value in made.items() if name not in context}
    assert len(made) <= 35
    assert all(len(value) <= 1024 for value in made.values())
    assert all(VISIBLE.fullmatch(made[name]) for name in context)


@pytest.mark.parametrize("parent", [TRACE, "01" + TRACE[2:] + "-more", "cc" + TRACE[2:]])
def test_a_trace_of_a_later_version_is_one_too(parent: str) -> None:
    assert read_metadata([("traceparent", parent), ("tracestate", "a=1, b=2")], OPEN).context == {
        "traceparent": parent,
        "tracestate": "a=1, b=2",
    }


def test_an_empty_tenant_header_is_none() -> None:
    assert read_metadata([(TENANT, "")], TenantRules(required=False, default=TenantId("house"))).tenant_id == "house"
    with pytest.raises(ValidationError, match="required"):
        read_metadata([(TENANT, "")], TenantRules(required=True, default=TenantId()))
