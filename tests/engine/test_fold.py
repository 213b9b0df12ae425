"""`fold`: events onto a state (rulings 33, 44)."""

from __future__ import annotations

from itertools import pairwise

from .bank import ANN, BANK, error
from .support import PLENTY

DEPOSITS = [b'{"type":"account_opened","owner":"ann","balance":0}', *(b'{"amount": %d, "type": "deposited"}' % i for i in (1, 2, 3))]


def test_fold_applies_events_in_order(run):
    folded = run.load(BANK).fold(run.engine.state(None), DEPOSITS, PLENTY)
    assert (folded.state.json(), folded.count, folded.error) == (b'{"balance":6,"owner":"ann"}', 4, None)
    again = run.load(BANK).fold(folded.state, DEPOSITS[1:2], PLENTY)
    assert again.state.json() == b'{"balance":7,"owner":"ann"}'
    assert folded.state.json() == b'{"balance":6,"owner":"ann"}'


def test_a_failing_event_stops_the_fold_with_the_state_before_it(run):
    folded = run.load(BANK).fold(run.engine.state(None), [*DEPOSITS[:2], b'{"type":"deposited","amount":"x"}', DEPOSITS[2]], PLENTY)
    record = error(folded)
    assert list(record) == ["kind", "code", "message", "line", "column", "function", "gas_used", "index", "state"]
    assert (record["code"], record["index"], record["state"]) == ("type", 2, {"balance": 1, "owner": "ann"})
    assert (folded.count, folded.state.json()) == (2, b'{"balance":1,"owner":"ann"}')
    assert record["gas_used"] == folded.gas
    assert folded.error.endswith(b',"index":2,"state":{"balance":1,"owner":"ann"}}')


def test_fold_reads_all_events_before_it_applies_one(run):
    folded = run.load(BANK).fold(run.engine.state(ANN), [DEPOSITS[1], b'{"type":"deposited","amount":"x"}', b"{}"], PLENTY)
    record = error(folded)
    assert (record["message"], record["gas_used"], folded.count, folded.state.json()) == ("event 2 has no type", 0, 0, ANN)
    assert "index" not in record
    no_apply = run.load("def decide(state, command):\n    return []\n").fold(run.engine.state(ANN), [b"?"], PLENTY)
    assert error(no_apply)["code"] == "no_function"
    assert no_apply.state.json() == ANN


def test_gas_of_a_fold_is_per_event_and_adds_up(run):
    whole = run.load(BANK).fold(run.engine.state(None), DEPOSITS, PLENTY)
    each = [run.load(BANK).fold(run.engine.state(None), DEPOSITS[:n], PLENTY).gas for n in range(5)]
    assert whole.gas == each[-1] == max(each)
    most = max(b - a for a, b in pairwise(each))
    assert run.load(BANK).fold(run.engine.state(None), DEPOSITS, most).error is None
    short = run.load(BANK).fold(run.engine.state(None), DEPOSITS, most - 1)
    assert error(short)["code"] == "out_of_gas"


def test_a_state_may_be_over_its_limits_only_in_between(run):
    grow = "def apply(state, event):\n    if event.type == 'grow':\n        return ['x' * 200000] * event.n\n    return len(state)\n"
    program, none = run.load(grow), run.engine.state(None)
    assert program.fold(none, [b'{"type":"grow","n":6}', b'{"type":"shrink"}'], PLENTY).state.json() == b"6"
    over = program.fold(none, [b'{"type":"grow","n":6}'], PLENTY)
    record = error(over)
    assert (record["kind"], record["code"], record["line"], over.count, over.state.json()) == ("resource", "limit", None, 0, b"null")
    assert "index" not in record
    failing = program.fold(none, [b'{"type":"grow","n":6}', b'{"type":"grow"}'], PLENTY)
    assert error(failing)["index"] == 1
    assert "state" not in error(failing)
    deep = "def apply(state, event):\n    return [state]\n"
    assert run.load(deep).fold(none, [b'{"type":"a"}'] * 64, PLENTY).error is None
    assert error(run.load(deep).fold(none, [b'{"type":"a"}'] * 65, PLENTY))["code"] == "depth"
