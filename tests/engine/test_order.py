"""The order of things: what is evaluated, checked and charged first, and where it stands (rulings 1, 14, 30, 34 to 43)."""

from __future__ import annotations

import json

import pytest

from .test_gas_table import STATE, WIDE, d, k, m, r
from .test_gas_table import l as list_made

NINES = "9" * 34
LONG = 100_000


@pytest.mark.parametrize(
    ("ruling", "source", "code", "charged"),
    [
        (1, f"{NINES} + 1", "runtime/overflow", WIDE),
        (1, "state.wide // 0", "runtime/div_zero", WIDE),
        (30, "[1] * 100001", "resource/limit", list_made(100_001)),
        (30, "'x' * 200001", "resource/limit", m(200_001)),
        (36, f"str(['x' * {LONG}] * 3)", "resource/limit", m(LONG) + list_made(3) + 1 + 2 * (1 + LONG // 8)),
        (36, f"'{{}}'.format(['x' * {LONG}] * 3)", "resource/limit", m(LONG) + list_made(3) + 1 + 1 + 2 * (1 + LONG // 8)),
        (36, f"'{{}}{{}}'.format('x' * {LONG}, 'y' * {LONG + 1})", "resource/limit", 2 * m(LONG) + 2 * r(LONG) + 2 + m(2 * LONG + 1)),
        (36, "'{}{}'.format('x' * 199990, ['y' * 20, 1])", "resource/limit", m(199_990) + m(20) + r(199_990) + 2 + 1 + (1 + 20 // 8)),
        (37, "str(range(100001))", "resource/limit", 1),
        (37, "str([1, range(100001)])", "resource/limit", 1 + 1 + 1),
        (38, "sorted([{'a': 1}, {'b': 1}], by = 'a')", "runtime/key", 2 + k(1) + k(1)),
        (38, "sorted([{'a': {'b': 1}}, {'a': 5}], by = 'a.b')", "runtime/type", 2 + 3 * k(1)),
        (38, "sorted([{'a': 1}, {'a': 'x'}], by = 'a')", "runtime/type", 2 + 2 * k(1)),
        (38, "sorted([{'a': 1}, 5], by = 'a')", "runtime/type", 2),
        (38, f"sum([1, 'a', {NINES}])", "runtime/type", 3),
        (38, f"sum([{NINES}, 1])", "runtime/overflow", 2 + 2 * WIDE),
        (40, "{'a' + state.s: 1, 5: 2}", "runtime/type", r(100) + m(101)),
        (40, "{state.s: 1, state.s: 2}", "runtime/key", 2 * r(100)),
        (40, "{'k' * 257: 1}", "resource/limit", m(257) + r(257)),
        (43, "round(1, 9223372036854775808)", "runtime/value", WIDE),
        (43, "split(5, 9223372036854775808, 0)", "resource/out_of_gas", None),
        (43, "'x' * 9223372036854775808", "resource/out_of_gas", None),
        (22, "number('1' * 35)", "runtime/overflow", m(35) + r(35)),
        (31, "state.map['k' * 300]", "runtime/key", m(300) + r(300) + k(10)),
    ],
)
def test_what_is_charged_before_an_error(run, ruling, source, code, charged):
    outcome = run.apply(f"def apply(state, event):\n    x = {source}\n", STATE)
    assert outcome.code == code
    if charged is not None:
        assert run.dynamic_gas(source, STATE) == charged


@pytest.mark.parametrize(
    ("ruling", "body", "code", "message"),
    [
        (14, "x = 5\nx[1 / 0] = [][0]", "runtime/index", "index 0 is outside of a list of length 0"),
        (14, "x = 5\nx[1 / 0] = 1", "runtime/div_zero", "/ by zero"),
        (14, "x = []\nx[0] += 1 / 0", "runtime/index", "index 0 is outside of a list of length 0"),
        (14, "x = range(2)\nx[0] += 1 / 0", "runtime/div_zero", "/ by zero"),
        (
            14,
            "x = range(2)\nx[0] += 1",
            "runtime/frozen",
            "this list is an input, a const or a range and cannot be changed; copy it with list(x)",
        ),
        (14, "state.m.a += 1 / 0", "runtime/div_zero", "/ by zero"),
        (14, "state.m.b += 1 / 0", "runtime/key", 'no key "b" in the map'),
        (15, "state.m[1] = 1", "runtime/type", "a key of a map is a string, not number"),
        (15, "state.l.pop('a')", "runtime/type", "pop: argument 1 must be an integer, not string"),
        (15, "state.l.insert(1)", "runtime/arity", ".insert() takes 2 arguments, not 1"),
        (15, "state.m.setdefault(1)", "runtime/type", "setdefault: argument 1 must be a string, not number"),
        (40, "x = {1: [][0]}", "runtime/index", "index 0 is outside of a list of length 0"),
        (40, "x = {'k' * 257: 1, 1: 2}", "runtime/type", "a key of a map is a string, not number"),
        (40, "x = {'k' * 257: 0, 'a' * 1: 1, 'a' * 1: 2}", "runtime/key", 'key "a" stands twice in the map'),
        (45, "x = 5\nx.get()", "runtime/type", ".get() does not work on number"),
        (54, "x = [y for x in [1, 2] for y in ([x] if x == 2 else [y])]", "runtime/value", '"y" is read before it has a value'),
        (8, "x = [x for x in [1]]\nreturn x[0] + y\ny = 1", "runtime/value", '"y" is read before it has a value'),
        (17, "return 2 * [1]", "runtime/type", "* does not work on number and list"),
    ],
)
def test_which_error_comes_first(run, ruling, body, code, message):
    outcome = run.body(body, {"m": {"a": 1}, "l": [1]})
    assert (outcome.code, outcome.error["message"]) == (code, message)


def test_a_comprehension_variable_keeps_its_last_value_in_later_rounds(run):
    assert run.value("[y for x in [1, 2] for y in ([x] if x == 1 else [y + 10])]") == "[1,11]"


@pytest.mark.parametrize(
    ("source", "places"),
    [
        # the place of out_of_gas at every limit from 0 on, as runs of the same place
        ("def apply(state, event):\n    x = [1]\n    return x\n", [(2, 5), (3, 5)]),
        ("def apply(state, event):\n    if state:\n        pass\n    elif 1 == 1:\n        return 'a'\n", [(2, 8), (4, 10), (5, 9)]),
        ("def apply(state, event):\n    for i in [1, 2]:\n        pass\n", [(2, 5), (3, 9), (2, 5), (3, 9)]),
        ("def apply(state, event):\n    for i in {'a': 1}:\n        pass\n", [(2, 5), (2, 14), (2, 5), (3, 9)]),
        ("def apply(state, event):\n    return [(i) for i in [1] if (i)]\n", [(2, 5), (2, 17), (2, 34), (2, 14), (2, 12)]),
        ("def apply(state, event):\n    return {('a'): i for i in [1]}\n", [(2, 5), (2, 22), (2, 14), (2, 12)]),
        ("def apply(state, event):\n    return 0 or (1 and 2)\n", [(2, 5), (2, 18), (2, 24)]),
        ("def apply(state, event):\n    return (1 if 0 else (2))\n", [(2, 5), (2, 26)]),
        ("def f(a):\n    return a\ndef apply(state, event):\n    return f(1)\n", [(4, 5), (2, 5)]),
        ("def apply(state, event):\n    x = {}\n    x['a'] += 1 if 0 else x.get('b')\n", None),
        ("def apply(state, event):\n    return 'a' + 'b'\n", [(2, 5), (2, 16)]),
        ("def apply(state, event):\n    return 'a' not in {'a': 1}\n", [(2, 5), (2, 16)]),
        ("def apply(state, event):\n    return {'abcdefghijklmnopqrst'.lower(): 1}\n", [(2, 5), (2, 36), (2, 12)]),
        ("def apply(state, event):\n    x = {'a': 1}\n    x['a'] += 2\n", [(2, 5), (3, 5), (3, 6)]),
        ("def apply(state, event):\n    x = 'a'\n    x += 'b'\n", [(2, 5), (3, 5), (3, 7)]),
        ("def apply(state, event):\n    x = {}\n    x.a = 2\n", [(2, 5), (3, 5), (3, 7)]),
        ("def apply(state, event):\n    return dict({})['a' * 2]\n", [(2, 5), (2, 12), (2, 25), (2, 20)]),
    ],
)
def test_out_of_gas_stands_where_the_charge_does(run, source, places):
    gas = run.apply(source).gas
    found = []
    for limit in range(gas):
        outcome = run.apply(source, gas=limit)
        if outcome.error["code"] != "out_of_gas":
            break
        assert outcome.gas == outcome.error["gas_used"] == limit
        assert outcome.error["message"] == f"out of gas: the limit is {limit}"
        if not found or found[-1] != outcome.place:
            found.append(outcome.place)
    if places is not None:
        assert found == places
    assert run.apply(source, gas=gas) == run.apply(source, gas=gas + 1)


def test_output_has_no_place(run):
    source = "def decide(state, command):\n    return [event('t', a = 1)]\n"
    whole = run.decide(source).gas
    for limit in range(whole - 6, whole):
        assert run.decide(source, gas=limit).place is None
    outcome = run.expression("[1, 2, 3]", gas=12)
    assert (outcome.code, outcome.place, outcome.error["function"]) == ("resource/out_of_gas", None, None)


def test_a_large_output_is_found_by_its_walk(run):
    big = "'x' * 199000"
    outcome = run.decide(f"def decide(state, command):\n    return [event('t', a = {big})] * 6\n")
    assert (outcome.code, outcome.place) == ("resource/limit", None)
    assert run.decide(f"def decide(state, command):\n    return [event('t', a = {big})] * 5\n").value is not None
    assert run.expression(f"[{big}] * 6").code == "resource/limit"
    text = "'\u00e9' * 200000"
    assert run.expression(f"[{text}] * 2").value is not None
    assert run.expression(f"[{text}] * 3").code == "resource/limit"


def test_events_are_as_deep_as_documents(run):
    nest = "def decide(state, command):\n    x = 1\n    for i in range({}):\n        x = [x]\n    return [event('t', x = x)]\n"
    assert run.decide(nest.format(63)).value is not None
    assert run.decide(nest.format(64)).code == "resource/depth"
    assert run.decide(nest.format(64)).place is None


def test_a_rejection_checks_before_it_pays_for_its_details(run):
    source = "def decide(state, command):\n    reject({}, code = {}, k = [1, 2])\n"
    long = run.decide(source.format("'x' * 1001", "'1'"))
    assert long.error["message"] == "reject: the message has 1001 code points, at most 1000 are allowed"
    bad = run.decide(source.format("'xx'", "'1 a'"))
    assert bad.error["message"] == 'reject: "1 a" is no code; write a letter or _, then at most 127 letters, digits, _ . -'
    good = run.decide(source.format("'xx'", "'1a'".replace("1", "b")))
    assert good.gas - bad.gas == d(1) + (1 + 1 + 1 + 1 + 1)
    deep = "def decide(state, command):\n    x = 1\n    for i in range({}):\n        x = [x]\n    reject('no', x = x)\n"
    assert run.decide(deep.format(63)).rejected is not None
    assert (run.decide(deep.format(64)).code, run.decide(deep.format(64)).place) == ("resource/depth", (5, 5))


def test_the_record_of_an_error_has_its_members_in_order(run):
    raw = run.load("1 / 0", "expression").evaluate(b"null", None, 100).error
    assert raw == (b'{"kind":"runtime","code":"div_zero","message":"/ by zero","line":1,"column":3,"function":null,"gas_used":11}')
    assert json.loads(raw)["kind"] == "runtime"
