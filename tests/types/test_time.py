"""Points in time as text: order of text is order of time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregate.types.time import format_time, now, now_milliseconds, parse_time

milliseconds = st.integers(0, 253_402_300_799_999)


@given(milliseconds)
def test_text_gives_back_its_milliseconds(at: int) -> None:
    text = format_time(at)
    assert parse_time(text) == at
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)


@given(milliseconds, milliseconds)
def test_text_order_is_time_order(one: int, other: int) -> None:
    assert (format_time(one) < format_time(other)) == (one < other)


def test_now_is_between_before_and_after() -> None:
    before, text, after = now_milliseconds(), now(), now_milliseconds()
    assert before <= parse_time(text) <= after


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.000+00:00",
        "2026-01-31T12:00:00.000Z\n",
        "2026-02-30T12:00:00.000Z",
        "2026-01-31t12:00:00.000z",
    ],
)
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a time like|out of range"):
        parse_time(text)
