"""JSON with exact numbers: what is read is what was written, and one value has one text."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregate.errors import ValidationError
from aggregate.types import Document
from aggregate.types.json import canonical, parse

decimals = st.decimals(allow_nan=False, allow_infinity=False, places=6) | st.integers(-(10**40), 10**40)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | decimals | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def plain(value: Any) -> Any:
    """The value with whole decimals as integers, as they come back."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else value
    if isinstance(value, list):
        return [plain(each) for each in value]
    return {key: plain(each) for key, each in value.items()} if isinstance(value, dict) else value


@given(values)
def test_reading_gives_what_was_written(value: Any) -> None:
    text = canonical(value)
    assert parse(text) == plain(value)
    assert canonical(parse(text)) == text
    assert json.loads(text) is not ...


@given(st.dictionaries(texts, st.integers(), max_size=8))
def test_the_order_of_members_does_not_matter(members: dict[str, int]) -> None:
    backwards = dict(reversed(members.items()))
    assert canonical(members) == canonical(backwards)
    assert list(json.loads(canonical(members))) == sorted(members)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.50"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.00"), "0"),
        (Decimal("100"), "100"),
        (Decimal("1E-7"), "0.0000001"),
        (0.1, "0.1"),
        (1e22, "10000000000000000000000"),
        (-0.0, "0"),
        (10**30, "1" + "0" * 30),
        (True, "true"),
        ('ä\u0001\n"\\\x7f', '"ä\\u0001\\n\\"\\\\\x7f"'),
        ((1, 2), "[1,2]"),
        ({"b": 1, "a": {}}, '{"a":{},"b":1}'),
    ],
)
def test_one_value_has_one_text(value: Any, text: str) -> None:
    assert canonical(value).decode() == text


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity"), object(), b"x", {1: 2}, {"a": {3}}, "\ud800", {"\udc00": 1}]
)
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        canonical(value)


def test_nesting_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValidationError, match="nested too deeply"):
        canonical(endless)
    with pytest.raises(ValidationError):
        parse("[" * 100_000)


@pytest.mark.parametrize("text", ["", "{", '{"a":1,}', "NaN", "Infinity", "-Infinity", "'a'", "01", '{"a":1,"a":2}', b"\xff", "[1] x"])
def test_what_does_not_parse_names_the_field(text: str | bytes) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(text, "metadata")
    assert caught.value.field == "metadata"


@given(values)
def test_documents_are_equal_when_their_texts_are(value: Any) -> None:
    made, read = Document.of(value), Document(canonical(value))
    assert made == read
    assert hash(made) == hash(read)
    assert made.value == read.value == plain(value)
    assert made.value is made.value
    assert Document.of(made) is made
    assert made != value
    assert repr(made) == f"Document({made.text.decode()})"


def test_documents_of_other_values_differ() -> None:
    assert Document.of(1) == Document.of(Decimal("1.0"))
    assert Document.of(1) != Document.of("1")
    assert Document.of({"a": None}) != Document.of({})
