"""Unit weights, each counted by hand from section 7 of the language page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aggregate.language import compile as compile_source


def unit(expression: str) -> int:
    """Weight of an expression that is a unit."""
    weight: int = json.loads(compile_source(expression, "expression"))["unit"][0]
    return weight


def statement(text: str, above: str = "") -> list[Any]:
    """IR of a statement in a function with parameters s, t."""
    lines = "".join(f"    {line}\n" for line in text.split("\n"))
    node: list[Any] = json.loads(compile_source(f"{above}def f(s, t):\n{lines}"))["functions"][-1]["body"][0]
    return node


@pytest.mark.parametrize(
    ("expression", "weight"),
    [
        ("1", 1),
        ("-5", 2),
        ("not a", 2),
        ("a + b * 2", 5),
        ("(a)", 1),
        ("a.b.c", 3),
        ("a['k']", 3),
        ("a[1:]", 3),
        ("a[:]", 2),
        ("a[1:2]", 4),
        ("a not in b", 3),
        ("a and b", 2),
        ("a and b and c", 3),
        ("a or (b + c)", 2),
        ("x if c else y + 1", 2),
        ("[]", 5),
        ("[1, 2, 3]", 1 + 4 + 3 + 3),
        ("{}", 9),
        ("{'a': 1, 'b': c}", 1 + 8 + 4 + 4),
        ("len(a)", 1 + 4 + 1),
        ("sorted(a, by = 'x', reverse = True)", 1 + 4 + 3),
        ("a.get('k', 0)", 1 + 4 + 3),
        ("'{}'.format(a, b = c)", 1 + 4 + 3),
        ("[x + 1 for x in a]", 2),
        ("{k: v for k, v in a.items()}", 1 + 1 + 4 + 1),
        ("1" + " + 1" * 500, 1001),
    ],
)
def test_weight_of_an_expression(expression: str, weight: int) -> None:
    assert unit(expression) == weight


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("pass", 1),
        ("return", 1),
        ("return s", 2),
        ("s", 2),
        ("x = s", 2),
        ("a, b = s", 4),
        ("a, b, c = s", 5),
        ("s.x = 1", 1 + 1 + 1 + 1),
        ("s[t] = 1", 1 + 1 + 2 + 1),
        ("s.x.y = 1", 1 + 2 + 1 + 1),
        ("s += 1", 1 + 2 + 1),
        ("s.x += 1", 1 + 2 + 2 + 1),
        ("s[t] |= {}", 1 + 2 + 3 + 9),
        ("s = f0(1, t)", 1 + 1 + 10 + 2),
        ("for x in s:\n    pass", 2),
        ("for x in [1, 2]:\n    pass", 1 + 1 + 4 + 2 + 2),
        ("for a, b in s.items():\n    pass", 1 + 1 + 4 + 1),
    ],
)
def test_weight_of_a_simple_statement(text: str, weight: int) -> None:
    assert statement(text, "def f0(a, b):\n    pass\n")[3] == weight


def test_an_iteration_weighs_two_and_its_unpacked_names() -> None:
    assert statement("for x in s:\n    pass")[4] == 2
    assert statement("for a, b, c in s:\n    pass")[4] == 5


def test_if_has_no_weight_of_its_own_and_each_condition_is_a_unit() -> None:
    node = statement("if s:\n    pass\nelif s == t:\n    pass\nelse:\n    pass")
    assert [arm[0][0] for arm in node[3]] == [1, 3]


def test_right_sides_and_branches_are_units() -> None:
    logic = statement("return s and t + 1")[4]
    assert logic[0] == "and"
    assert logic[4][0] == 3
    conditional = statement("return s + 1 if t else -s")[4]
    assert [conditional[4][0], conditional[6][0]] == [3, 2]


def test_a_later_iterable_belongs_to_the_iteration_before_it_and_the_element_is_a_unit() -> None:
    comprehension = statement("return [x + y for x in s if x for y in t.u if y > 1 for a, b in y]")[4]
    clauses, element = comprehension[4], comprehension[5]
    assert [clause[3] for clause in clauses if clause[0] == "for"] == [2 + 2, 2 + 1, 2 + 2]
    assert [clause[1][0] for clause in clauses if clause[0] == "if"] == [1, 3]
    assert element[0] == 3


def test_a_map_comprehension_has_one_unit_for_key_and_value() -> None:
    assert statement("return {x.k: x.v + 1 for x in s}")[4][5][0] == 2 + 4


def test_a_const_is_a_unit_without_a_statement() -> None:
    assert json.loads(compile_source("A = 1\nB = A + 2"))["consts"][1][1] == [3, 2, 5]


def test_the_keys_of_a_map_literal_count_in_parentheses_too() -> None:
    assert unit("{('a'): 1}") == unit("{'a': 1}") == 1 + 8 + 2 + 2
