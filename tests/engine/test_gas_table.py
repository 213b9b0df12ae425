"""Section 7's table, row by row: what each operation charges beyond the weight of its unit."""

from __future__ import annotations

import pytest

WIDE = 8


def r(n: int) -> int:
    return n // 16


def k(n: int) -> int:
    return 1 + n.bit_length()


def m(n: int) -> int:
    return 2 + n // 8


def l(n: int) -> int:  # noqa: E743 (the table's sign)
    return 4 + n


def d(n: int) -> int:
    return 8 + 2 * n


STATE = {
    "n": 5,
    "wide": 2**63,
    "dec": 2.5,
    "s": "x" * 100,
    "t": "y" * 40,
    "list": list(range(20)),
    "words": ["a" * 20, "b" * 40, "c"],
    "map": {f"k{i}": i for i in range(10)},
    "rows": [{"v": {"w": i}} for i in range(4)],
    "deep": {"a": [1, "x" * 16, {"b": None}]},
}
ROWS = [
    # numbers
    ("state.n + 1", 0),
    ("state.wide + 1", WIDE),
    ("state.wide * state.dec", WIDE),
    ("state.dec - 1", WIDE),
    ("state.n // 2", 0),
    ("state.dec % 2", WIDE),
    ("state.n / 5", WIDE),
    ("state.wide / 5", WIDE),
    ("-state.n", 0),
    ("-state.wide", WIDE),
    ("state.n < 7", 0),
    ("state.n >= state.dec", WIDE),
    # strings and lists
    ("state.s + state.t", r(100) + r(40) + m(140)),
    ("state.list + state.list", l(40)),
    ("state.list + range(3)", l(23)),
    ("state.s * 3", r(100) + m(300)),
    ("state.s * 0", r(100) + m(0)),
    ("state.s * -1", r(100) + m(0)),
    ("state.list * 2", l(40)),
    ("state.s < state.t", r(100) + r(40)),
    # equality
    ("state.s == state.t", r(100) + r(40)),
    ("state.s == 5", r(100)),
    ("state.s == state.list", r(100)),
    ("state.n == state.wide", WIDE),
    ("state.n == state.s", r(100)),
    ("None == state.wide", 0),
    ("state.list == state.list", 1 + 20),
    ("state.list == range(20)", 1 + 20),
    ("state.list == [0]", 1),
    ("state.list == state.map", 1),
    ("state.list == state.words", 1),
    ("state.words == [state.words[0], state.words[1], 'd']", (1 + (1 + 2 + 2) + (1 + 5 + 5) + 1)),
    ("state.map == state.map", 1 + 10 + 10),
    ("{'a': 1, 'b': 1} == {'a': 1, 'c': 1}", 1 + 2),
    ("{'a': 1, 'b': 1} != {'a': 2, 'b': 1}", 1 + 2 + 1),
    ("state.deep == state.deep", 1 + 1 + 1 + 1 + (1 + 2 + 2) + 1 + 1 + 1),
    ("state.map | {'a': 1, 'k1': 2}", d(12)),
    # in
    ("state.t in state.s", r(40) + r(100)),
    ("state.t in state.map", r(40) + k(10)),
    ("3 in state.list", 4),
    ("99 not in state.list", 20),
    ("state.words[1] in state.words", (1 + 5 + 2) + (1 + 5 + 5)),
    # what costs nothing more
    ("not state.s", 0),
    ("state.s", 0),
    ("state.list[3]", 0),
    ("range(100)[3]", 0),
    ("range(1000)", 0),
    ("len(state.list)", 0),
    ("len(range(100))", 0),
    ("len(state.s)", r(100)),
    ("bool(state.s)", 0),
    ("type(state.s)", 0),
    # indexes and slices
    ("state.s[1]", r(100) + m(1)),
    ("state.s[1:50]", r(100) + m(49)),
    ("state.s[50:1]", r(100) + m(0)),
    ("state.list[1:5]", l(4)),
    ("range(100)[:50]", l(50)),
    ("state.map['k1']", k(10)),
    ("state.map[state.s]", r(100) + k(10)),
    # map literals: a literal key is in the unit, a computed one is read
    ("{'a': 1}", 0),
    ("{state.s: 1, state.t: 2}", r(100) + r(40)),
    # str, int, number
    ("str(state.n)", m(1)),
    ("str(state.wide)", WIDE + m(19)),
    ("str(None)", m(4)),
    ("str(state.s)", m(100)),
    ("str(state.deep)", (1 + 1 + 1 + 1 + (1 + 2) + 1 + 1 + 1) + m(len('{"a":[1,"xxxxxxxxxxxxxxxx",{"b":null}]}'))),
    ("str(range(3))", 4 + m(7)),
    ("int('123')", 0),
    ("number('" + "0" * 20 + "')", r(20)),
    ("number(state.wide)", WIDE),
    ("int(state.dec)", WIDE),
    # abs, round, fixed, split
    ("abs(state.n)", 0),
    ("abs(state.dec)", WIDE),
    ("round(state.dec, 1)", WIDE),
    ("round(state.n, 1)", 0),
    ("fixed(state.n, 20)", m(22)),
    ("fixed(state.dec, 2)", WIDE + m(4)),
    ("split(state.n, 5, 2)", l(5)),
    ("split(state.dec, 5, 2)", WIDE + l(5)),
    # min, max, sum, sorted
    ("min(1, 2, 3)", 0),
    ("min(1, state.dec, state.wide)", WIDE),
    ("max(state.s, state.t)", r(100) + r(40)),
    ("max(state.list)", 20),
    ("max([state.wide, 1])", 2),
    ("min(state.words)", 3 + r(20) + r(40)),
    ("min(state.map)", 10),
    ("sum(state.list)", 20),
    ("sum([1, state.dec, 1, 1])", 4 + 3 * WIDE),
    ("sum([state.wide, 1 - state.wide, 1])", 3 + 2 * WIDE + WIDE),
    ("sorted(state.list)", 20 + 5 * 20 + l(20)),
    ("sorted(state.words)", 3 + 2 * (3 + 61 // 16) + l(3)),
    ("sorted([])", l(0)),
    ("sorted(state.rows, by = 'v.w')", 4 + 0 + 4 * (k(1) + k(1)) + 3 * 4 + l(4)),
    # lists made
    ("list(state.map)", l(10)),
    ("reversed(state.list)", l(20)),
    ("state.map.keys()", l(10)),
    ("state.map.values()", l(10)),
    ("state.map.items()", l(10) + 10 * l(2)),
    ("enumerate(state.words)", l(3) + 3 * l(2)),
    ("zip(state.list, state.words, state.map)", l(3) + 3 * l(3)),
    ("dict(state.map)", d(10)),
    ("dict()", d(0)),
    # any, all, has
    ("any([0, 0, 1, 1])", 3),
    ("all([1, 1, 0, 1])", 3),
    ("any([])", 0),
    ("any(state.map)", 1),
    ("has(state, 'deep.a.b')", k(10) + k(1)),
    ("has(state, 'deep.z.b.c.d')", r(12) + k(10) + k(1)),
    ("has(state.n, 'deep')", 0),
    # event
    ("event('t', a = 1, b = 2)", d(3)),
    ("event(state.s, state.map)", r(100) + d(11)),
    ("event('t', {'type': 'u'})", d(1)),
    # string methods
    ("state.s.startswith(state.t)", r(100) + r(40)),
    ("state.s.find('x')", r(100)),
    ("state.s.count('x')", r(100)),
    ("state.s.upper()", r(100) + m(100)),
    ("state.s.strip()", r(100) + m(100)),
    ("state.s.replace('x', 'yy')", r(100) + m(200)),
    ("'a b  c'.split()", 3 * m(1) + l(3)),
    ("'a,b,,c'.split(',')", m(1) * 3 + m(0) + l(4)),
    ("state.t.join(state.words)", r(40) + 3 + r(20) + r(40) + m(61 + 80)),
    ("'{} {a}'.format(state.s, a = state.t)", r(100) + r(40) + 1 + 1 + m(141)),
    ("'{} {}'.format(state.wide, [1, 2])", 1 + WIDE + 1 + 3 + m(19 + 1 + 5)),
    ("'no'.format(state.s)", r(100) + m(2)),
    # list methods
    ("list(state.list).append(1)", l(20) + 2),
    ("list(state.list).pop()", l(20) + 2),
    ("list(state.list).pop(0)", l(20) + 2 + 20 // 8),
    ("list(state.list).insert(0, 1)", l(20) + 2 + 20 // 8),
    ("list(state.list).extend(state.words)", l(20) + 3),
    ("state.list.index(3)", 4),
    ("state.list.count(3)", 20),
    # map methods
    ("state.map.get('k1')", k(10)),
    ("state.map.get(state.s)", r(100) + k(10)),
    ("dict(state.map).pop('k1')", d(10) + k(10)),
    ("dict(state.map).setdefault('new')", d(10) + k(10)),
    ("dict(state.map).update({'k1': 1, 'z': 2})", d(10) + k(10) + k(10)),
    ("dict().update({'a': 1, 'b': 2, 'c': 3})", d(0) + k(0) + k(1) + k(2)),
]


@pytest.mark.parametrize(("source", "gas"), ROWS, ids=[source for source, _ in ROWS])
def test_each_row_of_the_table(run, source, gas):
    assert run.dynamic_gas(source, STATE) == gas


@pytest.mark.parametrize(
    ("body", "gas"),
    [
        # the unit's weights are written out: set 1, list 1 + 4 + n, name 1, literal 1, comprehension 1, iteration 2 per round
        ("x = [1, 2]\nreturn x[0]", (1 + 1 + 4 + 2 + 2) + (1 + 1 + 1 + 1)),
        ("x = {'a': 1}\nx.a = 2", (1 + 1 + 8 + 2 + 1 + 1) + (1 + 1 + 1 + 1 + k(1))),
        ("x = {'a': 1}\nx['b'] = 2", (1 + 1 + 8 + 2 + 1 + 1) + (1 + 1 + 1 + 1 + 1 + k(1))),
        ("x = [1]\nx[0] = 2", (1 + 1 + 4 + 1 + 1) + (1 + 1 + 1 + 1 + 1 + 2)),
        ("x = [1]\nx[0] += 2", (1 + 1 + 4 + 1 + 1) + (1 + 1 + 1 + 1 + 1 + 2 + 2)),
        ("x = {'a': 1}\nx['a'] += 2", (1 + 1 + 8 + 2 + 1 + 1) + (1 + 1 + 1 + 1 + 1 + 2 + k(1) + k(1))),
        ("x = {'a': 1}\nx.a += 2", (1 + 1 + 8 + 2 + 1 + 1) + (1 + 1 + 1 + 1 + 2 + k(1))),
        ("x = 1\nx += 2", (1 + 1) + (1 + 1 + 2)),
        ("a, b = [1, 2]", 1 + 2 + 1 + 4 + 2 + 2),
        ("for i in [1, 2, 3]:\n    pass", (1 + 1 + 4 + 3 + 3) + 3 * (2 + 1)),
        ("for k in {'a': 1, 'b': 2}:\n    pass", (1 + 1 + 8 + 4 + 2 + 2) + 2 + 2 * (2 + 1)),
        ("x = [i for i in [1, 2, 3]]", (1 + 1 + 1 + 4 + 3 + 3) + 3 * (2 + 1 + 2)),
        ("x = {'a': i for i in [1, 2]}", (1 + 1 + 1 + 4 + 2 + 2) + (2 + 2 + k(0)) + (2 + 2 + k(1))),
        ("x = [i for i in [1, 2, 3] if i > 2]", (1 + 1 + 1 + 4 + 3 + 3) + 3 * (2 + 3) + (1 + 2)),
        ("x = True and False", (1 + 1 + 1) + 1),
        ("x = False and True", 1 + 1 + 1),
        ("x = 1 if False else 2", (1 + 1 + 1) + 1),
        ("if 1 == 2:\n    pass\nelif 1 == 1:\n    return 5", 3 + 3 + 2),
        ("pass", 1),
        ("return", 1),
    ],
)
def test_units_and_what_they_hold(run, body, gas):
    assert run.body(body).gas == gas


def test_a_call_of_an_own_function_costs_ten_and_its_units(run):
    source = "def f(a):\n    return a\ndef apply(state, event):\n    return f(1)\n"
    assert run.apply(source).gas == (1 + 1 + 10 + 1) + (1 + 1)


def test_an_expression_pays_for_its_output_and_a_filter_does_not(run):
    assert run.expression("[1, 'abcdefgh']").gas == (1 + 4 + 2 + 2) + (1 + 1 + 2)
    assert run.filter("True").gas == 1


def test_events_are_paid_for_as_output(run):
    source = "def decide(state, command):\n    return [event('t', a = 1)]\n"
    outcome = run.decide(source)
    assert outcome.value == '[{"a":1,"type":"t"}]'
    weights = 1 + (1 + 4 + 1) + (1 + 4 + 1 + 1)
    assert outcome.gas == weights + d(2) + 1 + 1 + 2 + 2


def test_a_rejection_pays_for_its_details(run):
    source = "def decide(state, command):\n    reject('no' * 16, code = 'c', k = [1])\n"
    outcome = run.decide(source)
    assert outcome.rejected == {"code": "c", "details": {"k": [1]}, "message": "no" * 16}
    weights = 1 + (1 + 4) + (1 + 1 + 1) + 1 + (1 + 4 + 1 + 1)
    assert outcome.gas == weights + (0 + m(32)) + r(32) + d(1) + (1 + 1 + 1 + 1)


@pytest.mark.parametrize(
    ("source", "gas"),
    [
        ("missing + 1", 0),
        ("missing.a.b", 0),
        ("missing[state]", 0),
        ("missing < 1", 0),
        ("1 in missing", 0),
        ("map['zz']", k(1)),
        ("missing == 'a'", 0),
    ],
)
def test_null_operands_cost_nothing_in_a_filter(run, source, gas):
    outcome = run.filter(source, {"map": {"a": 1}})
    import json

    from .support import ir

    assert outcome.gas - json.loads(ir(source, "filter"))["unit"][0] == gas


@pytest.mark.parametrize(
    ("source", "charged"),
    [
        ("state.list['a']", 0),
        ("state.s[1000]", r(100)),
        ("state.map['none']", k(10)),
        ("sum(['a'])", 1),
        ("sorted([1, 'a'])", 2),
        ("list(state.list).pop(99)", l(20) + 2 + 20 // 8),
        ("state.s + 1", 0),
        ("state.wide / 0", WIDE),
        ("int('a' * 32)", r(1) + m(32) + r(32)),
        ("state.s.split('')", r(100)),
        ("state.s.append(1)", 0),
        ("state.list.append(1)", 0),
        ("'{'.format(1)", 0),
        ("'{}{}'.format(1)", 2),
        ("split(state.n, 100001, 0)", l(100001)),
    ],
)
def test_what_was_charged_before_a_failure_stays_charged(run, source, charged):
    assert run.dynamic_gas(source, STATE) == charged
