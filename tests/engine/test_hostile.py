"""Programs and inputs of strangers: each ends with the right error, in bounded time and memory, on both engines."""

from __future__ import annotations

import json
import time

import pytest

from .support import PLENTY

SECONDS = {"native": 0.1, "pure": 4.0}
"""For 1,000,000 gas. The native engine's promise; the pure one only has to stay finite."""
SLACK = 6
"""Other processes run on the machine of a test."""
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("s = 'x'\nfor i in range(1000000):\n    s += s\nreturn 1", "resource/limit"),
        ("l = [1]\nfor i in range(1000000):\n    l += l\nreturn 1", "resource/limit"),
        ("l = [1]\nfor i in range(1000000):\n    l = [l, l]\nreturn str(l)", "resource/out_of_gas"),
        ("l = [1]\nfor i in range(30):\n    l = [l, l]\nreturn str(l)", "resource/limit"),
        ("l = [1]\nfor i in range(30):\n    l = [l, l]\nreturn [l] == [l]", "resource/out_of_gas"),
        ("l = []\nfor i in range(1000000):\n    l = [l]\nreturn 1", "resource/out_of_gas"),
        ("l = []\nfor i in range(60000):\n    l = [l]\nreturn str(l)", "resource/depth"),
        ("l = []\nfor i in range(1000000):\n    l.insert(0, i)\nreturn 1", "resource/out_of_gas"),
        ("l = []\nfor i in range(1000000):\n    l.append(l)\nreturn str(l)", "resource/out_of_gas"),
        ("m = {}\nfor i in range(1000000):\n    m[str(i)] = m\nreturn 1", "resource/out_of_gas"),
        ("x = [[[c for a in range(1000)] for b in range(1000)] for c in range(1000)]\nreturn 1", "resource/out_of_gas"),
        ("x = [0 for a in range(1000000) for b in range(1000000) if False]\nreturn 1", "resource/out_of_gas"),
        ("s = 'ab' * 100000\nx = [s.find('b' * 1000) for i in range(100000)]\nreturn 1", "resource/out_of_gas"),
        ("s = 'a' * 200000\nx = [s.count('a' * 1000 + 'b') for i in range(100000)]\nreturn 1", "resource/out_of_gas"),
        ("s = 'a' * 200000\nx = [s.replace('a', '') for i in range(100000)]\nreturn 1", "resource/out_of_gas"),
        ("s = 'a' * 200000\nx = [s.count('a') for i in range(100000)]\nreturn 1", "resource/out_of_gas"),
        ("s = '\u00e9' * 200000\nx = [s.count('\u00e9') for i in range(100000)]\nreturn 1", "resource/out_of_gas"),
        ("s = '\U0001f600' * 200000\nx = [s.replace('\U0001f600', 'a') for i in range(100000)]\nreturn 1", "resource/out_of_gas"),
        ("s = 'aaaab' * 40000\nx = [s.count('aaaab') for i in range(100000)]\nreturn 1", "resource/out_of_gas"),
        ("l = list(range(100000))\nx = [sorted(l) for i in range(1000)]\nreturn 1", "resource/out_of_gas"),
        ("l = list(range(50000))\nx = [sum(l) for i in range(1000)]\nreturn 1", "resource/out_of_gas"),
        ("x = [range(1000000) for i in range(1000000)]\nreturn 1", "resource/out_of_gas"),
        ("x = [list(range(100000)) for i in range(1000)]\nreturn 1", "resource/out_of_gas"),
        ("r = range(1000000)\nx = [r == r for i in range(100)]\nreturn 1", "resource/out_of_gas"),
        ("r = range(1000000)\nx = [5.5 in r for i in range(100)]\nreturn 1", "resource/out_of_gas"),
        ("x = 0.1\nfor i in range(1000000):\n    x = x / 3 + 1\nreturn 1", "resource/out_of_gas"),
        ("x = 9999999999999999999999999999999999\nfor i in range(1000000):\n    y = x * 1 // 7 % 5\nreturn 1", "resource/out_of_gas"),
        ("s = '{}' * 100000\nreturn s.format()", "runtime/index"),
        ("return ('{a}' * 50000).format(a = 'x' * 100)", "resource/limit"),
        ("return split(1, 1e33, 0)", "resource/out_of_gas"),
        ("return 'x' * 1e33", "resource/out_of_gas"),
        ("return [1] * 9999999999999999999999999999999999", "resource/out_of_gas"),
        ("return ('a' * 1000).replace('a', 'b' * 200000)", "resource/out_of_gas"),
    ],
)
def test_hostile_programs_end_in_time(run, body, code):
    program = run.load("def apply(state, event):\n" + "\n".join(f"    {line}" for line in body.splitlines()) + "\n")
    start = time.perf_counter()
    outcome = program.apply(b"null", b'{"type":"e"}', None, MILLION)
    seconds = time.perf_counter() - start
    record = json.loads(outcome.error)
    assert f"{record['kind']}/{record['code']}" == code
    assert outcome.gas <= MILLION
    assert seconds < SECONDS[run.engine.name] * SLACK


CHAIN = 4_000


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (" + ".join(["1"] * CHAIN), str(CHAIN)),
        (" and ".join(["1"] * CHAIN), "1"),
        (" or ".join(["0"] * (CHAIN - 1) + ["7"]), "7"),
        ("1" + " - 1" * (CHAIN - 1), str(2 - CHAIN)),
        ("x" + ".a" * CHAIN, None),
        ("x" + "[0]" * CHAIN, None),
        ("x" + "[:]" * CHAIN, None),
        ("'a'" + ".upper()" * CHAIN, '"A"'),
        ("[" * 60 + "]" * 60, "[" * 60 + "]" * 60),
        ("not " * 60 + "1", "true"),
        ("(" * 60 + "1" + ")" * 60, "1"),
        (" if 0 else ".join(["1"] * 60), "1"),
    ],
    ids=range(12),
)
def test_long_chains_and_deep_nests_need_no_deep_stack(run, source, value):
    outcome = run.expression(source, gas=PLENTY)
    if value is None:
        assert outcome.code == "runtime/type"
    else:
        assert outcome.value == value
    assert run.load(source, "filter").kind == "filter"


def test_a_source_of_twenty_thousand_nodes_runs(run):
    source = "def apply(state, event):\n    x = 0\n    x = " + " + ".join(["1"] * 9_900) + "\n    return x\n"
    assert run.apply(source).value == "9900"


def test_many_functions_that_call_one_another_run(run):
    parts = ["def f0(x):\n    return x + 1\n"]
    parts += [f"def f{i}(x):\n    return {'(' * 30}f{i - 1}(x) + 1{')' * 30}\n" for i in range(1, 60)]
    parts.append("def apply(state, event):\n    return f59(0)\n")
    assert run.apply("".join(parts)).value == "60"


def test_long_elif_chains_run(run):
    arms = "".join(f"    elif state == {i}:\n        return {i}\n" for i in range(1, 900))
    source = f"def apply(state, event):\n    if state == 0:\n        return 0\n{arms}    return -1\n"
    assert run.apply(source, 899).value == "899"
    assert run.apply(source, 5000).value == "-1"


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 500_000,
        b'{"a":' * 200_000,
        b'"' + b"\\" * 500_001,
        b'["' + b'\\"' * 300_000,
        b"[" * 70 + b'"' + b'\\"' * 400_000,
        b"1" * 1_000_000,
        b"1e" + b"9" * 1_000_000,
        b"0." + b"0" * 1_000_000 + b"1",
        b"-" * 1_000_000,
        b" " * 1_048_576,
        b"[" + b"[]," * 300_000,
        b'{"a":1,' * 100_000,
        b"\xf0\x9f\x98" * 300_000,
    ],
    ids=range(13),
)
def test_hostile_documents_end_in_time(engine, raw):
    start = time.perf_counter()
    with pytest.raises(Exception, match=r"."):
        engine.canonical(raw)
    assert time.perf_counter() - start < 5
