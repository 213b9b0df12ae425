"""Consts, own functions, rejections."""

from __future__ import annotations

import json


def test_consts_are_frozen_values(run):
    source = "A = 2\nB = [A, A * 3] + ['x']\nC = {'b': B}\ndef apply(state, event):\n    return C\n"
    assert run.apply(source).value == '{"b":[2,6,"x"]}'
    assert run.apply(source.replace("return C", "B.append(1)")).code == "runtime/frozen"
    assert run.apply(source.replace("return C", "C.b.append(1)")).code == "runtime/frozen"


def test_functions_call_those_above(run):
    source = "def double(x):\n    return x * 2\ndef apply(state, event):\n    return double(double(state))\n"
    assert run.apply(source, 3).value == "12"
    failing = run.apply(source, None)
    assert (failing.code, failing.error["function"], failing.place) == ("runtime/type", "double", (2, 14))
    wrong = run.apply("def f(a, b):\n    return a\ndef apply(state, event):\n    return f(1)\n")
    assert (wrong.code, wrong.error["message"], wrong.place) == ("runtime/arity", "f takes 2 arguments, not 1", (4, 12))
    assert wrong.error["function"] == "apply"


def test_a_parameter_named_event_and_the_builtin_live_side_by_side(run):
    assert run.apply("def apply(state, event):\n    return event('x', a = event.type)\n").value == '{"a":"e","type":"x"}'


def test_reject_checks_its_message_and_code(run):
    source = "def decide(state, command):\n    reject({}, code = {})\n"
    assert json.loads(json.dumps(run.decide(source.format("'x' * 1000", "'a.b-c'")).rejected))["message"] == "x" * 1000
    assert run.decide(source.format("'x' * 1001", "'a'")).code == "runtime/value"
    assert run.decide(source.format("'x'", "'1'")).code == "runtime/value"
    assert run.decide(source.format("'x'", "5")).code == "runtime/type"
    assert run.decide(source.format("5", "'a'")).code == "runtime/type"
