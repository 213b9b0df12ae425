"""The document that the engines read: slots, positions, shapes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from aggregate.language import compile as compile_source
from aggregate.language import digest
from aggregate.language.ir import encode


def function(text: str) -> dict[str, Any]:
    lines = "".join(f"    {line}\n" for line in text.split("\n"))
    found: dict[str, Any] = json.loads(compile_source(f"def f(s, t):\n{lines}"))["functions"][0]
    return found


def expr(text: str, kind: str = "expression") -> Any:
    return json.loads(compile_source(text, kind))["expr"]


def test_ir_is_canonical_json() -> None:
    ir = compile_source("A = 'é\\n'\ndef apply(s, e):\n    return A")
    assert ir == json.dumps(json.loads(ir), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def test_digest_is_of_language_kind_and_source_with_line_feeds() -> None:
    wanted = hashlib.sha256(b"agl-1\0program\0A = 1\nB = 2\n").hexdigest()
    assert digest("A = 1\r\nB = 2\r\n") == digest("A = 1\nB = 2\n") == wanted
    assert json.loads(compile_source("A = 1\r\nB = 2\r\n"))["digest"] == wanted
    assert digest("a", "filter") != digest("a", "expression") != digest("a")


def test_parameters_have_the_first_slots_then_locals_in_the_order_of_the_text() -> None:
    made = function("b = 1\nif s:\n    a = 2\nfor k, v in t:\n    b += 1\nx, a = t")
    assert made["locals"] == ["s", "t", "b", "a", "k", "v", "x"]
    assert made["params"] == 2


def test_comprehension_slots_are_reused_and_never_overlap_inside_one_another() -> None:
    made = function("return [[a + b for b in a] for a in s] + [c for c in t]")
    assert made["locals"] == ["s", "t", "a", "b"]
    nested = function("return [a for a in [b for b in s]]")
    assert nested["locals"] == ["s", "t", "a", "b"]


def test_filters_and_expressions_begin_with_state_and_meta() -> None:
    document = json.loads(compile_source("[x for x in state.lines if meta.id == x]", "filter"))
    assert document["locals"] == ["state", "meta", "x"]
    assert "functions" not in document


def test_a_bare_name_of_a_filter_is_free() -> None:
    assert expr("balance", "filter") == ["free", 1, 1, "balance"]
    assert expr("state") == ["local", 1, 1, 0]
    assert expr("state.x", "filter") == ["field", 1, 7, ["local", 1, 1, 0], "x"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("  a  +  b", [1, 6]),
        ("a.b . c", [1, 7]),
        ("a\n.get ('x')", [2, 2]),
        ("a [1]", [1, 3]),
        ("a [1:]", [1, 3]),
        ("len (a)", [1, 1]),
        ("(a) if b else c", [1, 1]),
        ("((a))", [1, 3]),
        ("a not  in b", [1, 3]),
        ("'é' + '\U0001f600' - 1", [1, 11]),
        ("[\n1]", [1, 1]),
        ("not a", [1, 1]),
    ],
)
def test_a_node_stands_where_its_error_would(text: str, place: list[int]) -> None:
    assert expr(text)[1:3] == place


def test_positions_beside_a_node() -> None:
    entry = expr("{ (a): b}")[3][0]
    assert entry[0] == [1, 4]
    clause = expr("[1 for  a, b  in ((c))]")[4][0]
    assert clause[:3] == ["for", 1, 4]
    assert clause[5] == [1, 20]
    assert clause[7] == [1, 9]
    assert function("s . x += 1")["body"][0][:7] == ["augfield", 2, 5, 6, "+", [2, 11], [2, 9]]
    assert function("s [0] = 1")["body"][0][4] == [2, 7]
    assert function("a , b = s")["body"][0][4] == [2, 5]


def test_a_unit_stands_at_its_first_character_without_its_own_parentheses() -> None:
    assert expr("a and ( (b) + c)")[4] == [3, 1, 9]
    assert expr("a if b else ((c))")[6] == [1, 1, 15]


def test_numbers_are_canonical_text() -> None:
    texts = ("1_000", "2.50", "1e3", "0.0", "1E-2", "0e99999999999999999999", "9" * 34)
    assert [expr(text)[3] for text in texts] == ["1000", "2.5", "1000", "0", "0.01", "0", "9" * 34]


def test_strings_have_their_values() -> None:
    assert expr(r'"\n\t\r\b\f\/\\\"\'\u00e9\ud83d\ude00\U0001F600"')[3] == "\n\t\r\b\f/\\\"'é\U0001f600\U0001f600"
    assert expr('"""a\n"b" \'c\'"""')[3] == "a\n\"b\" 'c'"
    assert expr("''")[3] == expr('""')[3] == expr("''''''")[3] == ""


def test_decide_and_apply_are_named_by_their_index() -> None:
    document = json.loads(compile_source("def h():\n    pass\ndef apply(s, e):\n    pass\ndef decide(s, c):\n    pass"))
    assert (document["apply"], document["decide"]) == (1, 2)
    assert (document["functions"][1]["line"], document["functions"][1]["column"]) == (3, 1)
    assert json.loads(compile_source("A = 1"))["apply"] is None


def test_encode_goes_deep_without_recursion() -> None:
    node: Any = "x"
    for _ in range(50_000):
        node = [node, {"b": None}]
    text = encode({"a": node})
    assert text.startswith(b'{"a":[[[[')
    assert text.endswith(b',{"b":null}],{"b":null}]}')
