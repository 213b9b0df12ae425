"""Limits of sizes and depth of what a program makes; ids of events."""

from __future__ import annotations

import pytest

from .bank import ID
from .support import Outcome


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("['x' * 200000] * 6", "resource/limit"),
        ("str(['x' * 100000] * 3)", "resource/limit"),
        ("'{}{}'.format('x' * 150000, 'x' * 60000)", "resource/limit"),
        ("('x' * 1000).replace('x', 'y' * 1000)", "resource/limit"),
        ("('y' * 1000).join(['a'] * 1000)", "resource/limit"),
        ("('x,' * 100000).split(',')", "resource/limit"),
        ("range(100001)", "resource/limit"),
        ("list(range(100001))", "resource/limit"),
        ("[x for x in range(100001)]", "resource/limit"),
        ("[1] * 60000 + [1] * 60000", "resource/limit"),
        ("{str(x): 1 for x in range(50001)}", "resource/limit"),
        ("{'k' * 257: 1 for x in [1]}", "resource/limit"),
        ("{}.setdefault('k' * 257, 1)", "resource/limit"),
        ("enumerate(range(100001))", "resource/limit"),
    ],
)
def test_sizes_are_limited(run, source, code):
    assert run.expression(source).code == code


def test_depth_is_found_by_walks(run):
    nest = "x = 1\nfor i in range({}):\n    x = [x]\n"
    assert run.body(nest.format(64) + "return str(x)").value is not None
    assert run.body(nest.format(65) + "return str(x)").code == "resource/depth"
    assert run.body(nest.format(65) + "return x == x").code == "resource/depth"
    assert run.body(nest.format(64) + "return x == x").value == "true"
    assert run.body(nest.format(65) + "return x in [1]").value == "false"
    assert run.body(nest.format(65) + "return [x].count(x)").code == "resource/depth"
    assert run.body(nest.format(65) + "return x").code == "resource/depth"
    assert run.body(nest.format(65) + "return x").place is None
    assert run.body("x = []\nx.append(x)\nreturn str(x)").code == "resource/depth"
    assert run.body("x = []\nx.append(x)\nreturn x == x").code == "resource/depth"
    assert run.body("x = []\nx.append(x)\nreturn x").code == "resource/depth"
    cyclic = run.body("x = []\nx.append(x)\nreturn [].index(x)")
    assert cyclic.error["message"] == "index: " + "[" * 80 + "… is not in the list"


def test_the_limit_of_gas_is_named(run):
    outcome = run.expression("[x for x in range(1000)]", gas=100)
    assert outcome.error["message"] == "out of gas: the limit is 100"
    assert (outcome.code, outcome.gas, outcome.place) == ("resource/out_of_gas", 100, (1, 1))
    assert isinstance(outcome, Outcome)


def test_ids_of_events_are_a_function_of_the_command(run):
    event_id = run.engine.event_id
    assert event_id("t", ID, "c", "2026-01-02T03:04:05.678Z", 0) == event_id("t", ID, "c", "2026-01-02T03:04:05.678999Z", 0)
    first, second = event_id("t", ID, "c", "2026-01-02T03:04:05.678Z", 0), event_id("t", ID, "c", "2026-01-02T03:04:05.678Z", 1)
    assert first != second
    assert first[14] == "7"
    assert first[19] in "89ab"
    assert int(first.replace("-", "")[:12], 16) == 1767323045678
    assert event_id("t", ID, "c", "1970-01-01T00:00:00Z", 0).startswith("00000000-0000-7")
    for time in ("", "2026-01-02", "2026-01-02T03:04:05+00:00", "2026-13-02T03:04:05Z", "2026-01-02T03:04:60Z", "1969-12-31T23:59:59Z"):
        with pytest.raises(ValueError, match=r"."):
            event_id("t", ID, "c", time, 0)
