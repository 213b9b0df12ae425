"""What is no IR is refused; nothing crashes the loader."""

from __future__ import annotations

import contextlib
import json
import random

import pytest

from .support import PLENTY, ir


@pytest.mark.parametrize("ir_bytes", [b"", b"{}", b"[]", b"\xff", b'{"v":1,"language":"agl-2"}'])
def test_what_is_no_ir_is_refused(engine, ir_bytes):
    with pytest.raises(ValueError, match=r"."):
        engine.load(ir_bytes)


def test_ir_with_wrong_slots_calls_or_kinds_is_refused(engine):
    good = json.loads(ir("def f(a):\n    return a\ndef apply(state, event):\n    return f(state)\n"))

    def broken(change):
        made = json.loads(json.dumps(good))
        change(made)
        return json.dumps(made).encode()

    def returned(function, node):
        return lambda made: made["functions"][function]["body"][0].__setitem__(4, node)

    engine.load(broken(lambda made: None))
    for change in (
        returned(0, ["local", 1, 1, 1]),
        returned(0, ["local", 1, 1, -1]),
        returned(0, ["call", 1, 1, 0, []]),
        returned(1, ["call", 1, 1, 1, []]),
        returned(0, ["const", 1, 1, 0]),
        returned(0, ["free", 1, 1, "a"]),
        returned(0, ["what", 1, 1]),
        returned(0, ["num", 1, 1, "x"]),
        returned(0, ["num", 1, 1, "1e40"]),
        returned(0, ["bin", 1, 1, "**", ["null", 1, 1], ["null", 1, 1]]),
        returned(0, ["fn", 1, 1, "open", [], []]),
        returned(0, ["method", 1, 1, ["null", 1, 1], "what", [], []]),
        returned(0, ["str", 1, 1]),
        returned(0, ["null", 2**31, 1]),
        lambda made: made.update(apply=9),
        lambda made: made.update(kind="what"),
        lambda made: made["functions"][0].update(params=3),
        lambda made: made["functions"][0].update(body=[["break", 1, 1, 1]]),
        lambda made: made["functions"][0].update(locals=["a"] * 65),
    ):
        with pytest.raises(ValueError, match=r"."):
            engine.load(broken(change))


def test_ir_with_changed_bytes_never_crashes_the_loader(engine):
    good = ir(
        "A = [1]\ndef f(a, b):\n    x = {'a': a, b: [y for y in A if y]}\n    x.a += 1\n    for i, j in [[1, 2]]:\n        x[str(i)] = j\n"
        "        break\n    return x\n"
        "def apply(state, event):\n    return f(1, 'b') if state else -state.a[1:2].get(round(1, places = 2))\n"
    )
    rng = random.Random(1)
    loaded = 0
    for _ in range(1500):
        raw = bytearray(good)
        for _ in range(1 + rng.randrange(3)):
            raw[rng.randrange(len(raw))] = rng.choice(b'0123456789[]{}",:abcxyz')
        try:
            program = engine.load(bytes(raw))
        except ValueError:
            continue
        loaded += 1
        program.apply(b"null", b'{"type":"e"}', None, 1000)
    assert loaded > 10


def test_deeply_nested_ir_is_no_danger(engine):
    document = json.loads(ir("1", "expression"))
    text = json.dumps(document)
    node = json.dumps(document["expr"])
    assert text.count(node) == 1
    for depth in (1_000, 100_000):
        with contextlib.suppress(ValueError):
            program = engine.load(text.replace(node, '["not",1,1,' * depth + node + "]" * depth).encode())
            assert program.evaluate(b"null", None, PLENTY).value == b"true"
