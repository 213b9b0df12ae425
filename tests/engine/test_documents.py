"""JSON in and out: what is a document of the language, what is not, and what the messages say."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate import engine as door
from aggregate.errors import DocumentError

ENGINES = [name for name in ("pure", "native") if door.available(name)]


def refused(engine, raw: bytes) -> tuple[str, str]:
    with pytest.raises(DocumentError) as caught:
        engine.canonical(raw)
    record = json.loads(caught.value.record)
    assert list(record) == ["kind", "code", "message", "line", "column", "function", "gas_used"]
    assert (record["line"], record["column"], record["function"], record["gas_used"]) == (None, None, None, 0)
    return f"{record['kind']}/{record['code']}", record["message"]


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b" null ", b"null"),
        (b"\t\r\n[ true , false ]\n", b"[true,false]"),
        (b'{"b":1,"a":{"d":[],"c":{}}}', b'{"a":{"c":{},"d":[]},"b":1}'),
        (b"[0,-0,0.0,-0.0e5,1.50,100,1e2,1E+2,12.5e1,1e-2,1.5E-3]", b"[0,0,0,0,1.5,100,100,100,125,0.01,0.0015]"),
        (b"0e99999999999999999999", b"0"),
        (b"0.000e-99999999999999999999", b"0"),
        (b"1" + b"0" * 33, b"1" + b"0" * 33),
        (b"9999999999999999999999999999999999", b"9" * 34),
        (b"0." + b"0" * 33 + b"1", b"0." + b"0" * 33 + b"1"),
        (b"0.1" + b"0" * 100, b"0.1"),
        (b"1" + b"0" * 50 + b"e-50", b"1"),
        (b"0." + b"0" * 50 + b"1e51", b"1"),
        (b"1e0000000000000000000000001", b"10"),
        (b"9007199254740993", b"9007199254740993"),
        (b"0.1", b"0.1"),
        (b'"\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\"', b'"A/\\b\\f\\n\\r\\t\\"\\\\"'),
        (b'"\\u0000\\u001F\\u007f\\u2028"', '"\\u0000\\u001f\u007f\u2028"'.encode()),
        (b'"\\ud83d\\ude00"', '"\U0001f600"'.encode()),
        ('"\U0001f600\u00e9"'.encode(), '"\U0001f600\u00e9"'.encode()),
        ('{"\U0001f600":1,"\uffff":2,"a":3}'.encode(), '{"a":3,"\uffff":2,"\U0001f600":1}'.encode()),
        (b'"' + b"a" * 200_000 + b'"', b'"' + b"a" * 200_000 + b'"'),
        (b"[" * 64 + b"]" * 64, b"[" * 64 + b"]" * 64),
        (b'{"":{"":1}}', b'{"":{"":1}}'),
    ],
)
def test_documents_are_read_and_written_canonically(engine, raw, canonical):
    assert engine.canonical(raw) == canonical
    state = engine.state(raw)
    assert state.json() == canonical
    assert state.hash() == hashlib.sha256(canonical).hexdigest()
    assert state.size() > 0
    assert engine.canonical(canonical) == canonical


def test_no_state_is_null(engine):
    assert engine.state(None).json() == b"null"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the text ends too early"),
        (b"  ", "the text ends too early"),
        (b"[1", "the text ends too early"),
        (b"[1,", "the text ends too early"),
        (b'{"a"', "the text ends too early"),
        (b'{"a":', "the text ends too early"),
        (b'"abc', "the text ends too early"),
        (b"[1,]", "unexpected character at byte 3"),
        (b"[,1]", "unexpected character at byte 1"),
        (b"[1 2]", "unexpected character at byte 3"),
        (b'{"a" 1}', "unexpected character at byte 5"),
        (b'{"a":1,}', "unexpected character at byte 7"),
        (b"{1:2}", "unexpected character at byte 1"),
        (b"{'a':1}", "unexpected character at byte 1"),
        (b"tru", "unexpected character at byte 0"),
        (b"[nul]", "unexpected character at byte 1"),
        (b"True", "unexpected character at byte 0"),
        (b"NaN", "unexpected character at byte 0"),
        (b"Infinity", "unexpected character at byte 0"),
        (b"-Infinity", "malformed number at byte 0"),
        (b"[-]", "malformed number at byte 1"),
        (b"1.", "malformed number at byte 0"),
        (b"1.e5", "malformed number at byte 0"),
        (b"1e", "malformed number at byte 0"),
        (b"[1e+]", "malformed number at byte 1"),
        (b"[1e5.]", "unexpected character at byte 4"),
        (b"1.5e1e", "unexpected text after the value at byte 5"),
        (b"1.e", "malformed number at byte 0"),
        (b".5", "unexpected character at byte 0"),
        (b"+1", "unexpected character at byte 0"),
        (b"01", "unexpected text after the value at byte 1"),
        (b"[-01]", "unexpected character at byte 3"),
        (b"0x10", "unexpected text after the value at byte 1"),
        (b"1 2", "unexpected text after the value at byte 2"),
        (b"[1]]", "unexpected text after the value at byte 3"),
        (b"1\x00", "unexpected text after the value at byte 1"),
        (b"\xa01", "not UTF-8 at byte 0"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'"\xed\xa0\x80"', "not UTF-8 at byte 1"),
        (b'"\xc0\x80"', "not UTF-8 at byte 1"),
        (b'"\xf4\x90\x80\x80"', "not UTF-8 at byte 1"),
        (b'"a\xe2\x82', "not UTF-8 at byte 2"),
        (b"\xef\xbb\xbf1", "a byte order mark is not allowed"),
        (b'"a\tb"', "control character in a string at byte 2"),
        (b'"a\nb"', "control character in a string at byte 2"),
        (b'"\\x41"', "bad escape at byte 1"),
        (b'"\\u12"', "bad escape at byte 1"),
        (b'"\\u12g4"', "bad escape at byte 1"),
        (b'"\\', "bad escape at byte 1"),
        (b'"\\U00000041"', "bad escape at byte 1"),
        (b'"\\ud800"', "lone surrogate at byte 1"),
        (b'"\\udc00"', "lone surrogate at byte 1"),
        (b'"ab\\ud800\\ud800"', "lone surrogate at byte 3"),
        (b'"\\ud800x"', "lone surrogate at byte 1"),
        (b"1e34", "number outside of the domain (34 digits, 34 places) at byte 0"),
        (b"[1,1e-35]", "number outside of the domain (34 digits, 34 places) at byte 3"),
        (b"1e99999999999999999999", "number outside of the domain (34 digits, 34 places) at byte 0"),
        (b"1e-99999999999999999999", "number outside of the domain (34 digits, 34 places) at byte 0"),
        (b"1" * 35, "number outside of the domain (34 digits, 34 places) at byte 0"),
        (b"0." + b"1" * 35, "number outside of the domain (34 digits, 34 places) at byte 0"),
        (b"[" * 65, "nested deeper than 64 at byte 64"),
        (b'[{"a":' * 33 + b"}]" * 33, "nested deeper than 64 at byte 192"),
        (b'{"a":' * 65, "nested deeper than 64 at byte 320"),
        (b'{"a":1,"a":2}', 'key "a" stands twice at byte 7'),
        ('{"\u00e9":1, "\\u00e9":2}'.encode(), 'key "\u00e9" stands twice at byte 9'),
        (b'[{"a":1,"a":}]', 'key "a" stands twice at byte 8'),
        (b'{"a":1,"a" 2}', 'key "a" stands twice at byte 7'),
        (b"[1e34,", "number outside of the domain (34 digits, 34 places) at byte 1"),
    ],
)
def test_what_is_no_document_is_bad_input_with_its_byte(engine, raw, message):
    assert refused(engine, raw) == ("contract/bad_input", f"document: {message}")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b" " * 1_048_577, "the text may have 1048576 bytes, it has 1048577"),
        (b"[" + b",".join([b"1e33"] * 40_000) + b"]", "the canonical text may have 1048576 bytes, it has more"),
        (b'"' + b"a" * 200_001 + b'"', "a string may have 200000 code points (at byte 0)"),
        (b"[" + b"1," * 100_000 + b"1]", "a list may have 100000 elements (at byte 200001)"),
        (b"[" + b"1," * 100_000 + b"1e99]", "a list may have 100000 elements (at byte 200001)"),
        (b'{"' + b"k" * 257 + b'":1}', "a key of a map may have 256 code points (at byte 1)"),
        (b'{"' + b"k" * 257 + b'"', "a key of a map may have 256 code points (at byte 1)"),
        (
            b"{" + b",".join(b'"%d":0' % i for i in range(50_001)) + b"}",
            "a map may have 50000 entries (at byte 488891)",
        ),
    ],
)
def test_what_is_too_large_is_a_limit(engine, raw, message):
    assert refused(engine, raw) == ("resource/limit", f"document: {message}")


def test_syntax_of_the_element_too_many_goes_before_its_count(engine):
    assert refused(engine, b"[" + b"1," * 100_000 + b"x]")[0] == "contract/bad_input"
    assert refused(engine, b"[" + b"1," * 100_000 + b"]")[0] == "contract/bad_input"


def test_a_state_names_itself_in_messages(engine):
    with pytest.raises(DocumentError, match="state: unexpected character at byte 0"):
        engine.state(b"?")


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**34) + 1, 10**34 - 1),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=200, deadline=None)
@given(value=values, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_any_value_comes_out_as_the_canonical_text(name, value, ascii_only, indent):
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    canonical = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert door.get(name).canonical(raw) == canonical


@settings(max_examples=400, deadline=None)
@given(
    raw=st.one_of(
        st.binary(max_size=30),
        st.text(alphabet='{}[]":,\\u0123456789eE+-.dDaflnrstu \t\n', max_size=30).map(str.encode),
    )
)
def test_both_twins_say_the_same_of_any_bytes(raw):
    assert len({outcome(door.get(name), raw) for name in ENGINES}) == 1


def outcome(engine, raw: bytes) -> bytes:
    try:
        return engine.canonical(raw)
    except DocumentError as error:
        return error.record
