"""Keys of values: both twins, the order of values in the order of bytes, and back to the value."""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregate.engine.pure import order_key as pure
from aggregate.types.json import canonical
from tests.query.naive import is_number, lenient, rank
from tests.query.strategies import documents, scalars, values


def _native() -> Any:
    try:
        return import_module("aggregate.engine._native").order_keys
    except ImportError:
        return None


native = _native()
needs_native = pytest.mark.skipif(native is None, reason="not built")
TWINS = [pytest.param(pure.order_keys, id="pure"), pytest.param(native, id="native", marks=needs_native)]
PATHS = ["a", "o.x", "b.x.y", "nowhere", 'q"\\\n\x01', "é"]

VECTORS: list[tuple[bytes, str]] = [
    (b"null", "10"),
    (b"false", "20"),
    (b"true", "21"),
    (b"0", "31"),
    (b"1", "32810b00"),
    (b"10", "32820b00"),
    (b"123", "32830d1f00"),
    (b"-123", "307cf2e0ff"),
    (b"0.001", "327e0b00"),
    (b"12.5", "32820d3300"),
    (b'"a"', "40610000"),
    (b'"a\\u0000b"', "406100ff620000"),
    (b'"\\n"', "400a0000"),
    (b"[1]", "505b315d0000"),
    (b'{"x":1}', "607b2278223a317d0000"),
]


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize(("document", "key"), VECTORS)
def test_keys_are_those_of_the_vectors(twin: Any, document: bytes, key: str) -> None:
    assert twin([b'{"a":' + document + b"}"], ["a"], 0) == [bytes.fromhex(key)]


@pytest.mark.parametrize("twin", TWINS)
@given(a=values, b=values)
def test_bytes_are_ordered_as_values_are(twin: Any, a: Any, b: Any) -> None:
    x, y = twin([canonical({"a": a}), canonical({"a": b})], ["a"], 0)
    assert (x < y) == (rank(a) < rank(b))
    assert (x == y) == (rank(a) == rank(b))
    assert x == y or not y.startswith(x)


@needs_native
@given(
    st.lists(st.one_of(documents, st.dictionaries(st.sampled_from(['q"\\\n\x01', "é", "a"]), values)), max_size=4),
    st.lists(st.sampled_from(PATHS), max_size=4),
    st.sampled_from([0, 1, 2, 5, 256]),
)
def test_twins_make_the_same_keys(states: list[Any], paths: list[str], most: int) -> None:
    texts = [canonical(state) for state in states]
    assert native(texts, paths, most) == pure.order_keys(texts, paths, most)


@given(scalars)
def test_a_key_gives_its_value_back(value: Any) -> None:
    key = pure.value_key(value)
    assert pure.order_keys([canonical({"a": value})], ["a"], 0) == [key]
    found = pure.key_value(key)
    assert found == value
    assert type(found) is type(value) or (is_number(value) and is_number(found))


@given(st.text(max_size=20), st.text(max_size=20), st.integers(1, 8))
def test_cut_texts_are_ordered_as_far_as_they_go(a: str, b: str, most: int) -> None:
    x, y = pure.value_key(a, most), pure.value_key(b, most)
    if x < y:
        assert rank(a) < rank(b)
    assert x.endswith(pure.CUT) == (len(a.encode().replace(b"\0", b"\0\xff")) > most)


@pytest.mark.parametrize("twin", TWINS)
@given(document=documents)
def test_each_path_of_each_document_has_a_key(twin: Any, document: Any) -> None:
    text = canonical(document)
    keys = twin([text, text], ["a", "o.x"], 0)
    assert len(keys) == 4
    wanted = [lenient(document, "a"), lenient(document, "o.x")]
    found = [pure.key_value(key) for key in keys[:2]]
    assert [Decimal(each) if is_number(each) else each for each in found] == [
        Decimal(each) if is_number(each) else canonical(each) if isinstance(each, dict | list) else each for each in wanted
    ]


@needs_native
@pytest.mark.parametrize("text", [b"", b"{", b'{"a"', b'{"a":', b'{"a":"', b'{"a":"x\\', b'{"a":x}', b'{"a":[', b'{"a":1'])
def test_what_is_no_document_is_refused_or_null(text: bytes) -> None:
    try:
        found = native([text], ["a"], 0)
    except ValueError as error:
        found = str(error)
    assert found in ([b"\x10"], [b"\x32\x81\x0b\x00"], "not a canonical document")
