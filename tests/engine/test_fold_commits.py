"""`fold_commits`: stored commit messages onto a state; what they say of themselves is checked."""

from __future__ import annotations

import json

import pytest

from aggregate.engine import FoldExpectation

from .bank import ANN, BANK, ID, error
from .support import PLENTY, document


def message(commits, /, **members):
    head = {"v": 1, "tenant_id": "t1", "aggregate_type": "Account", "aggregate_id": ID, "program": "p", "generation": 3, "commits": commits}
    return document(head | members)


def commit(first, events, /, **members):
    rows = [{"event_id": f"e{i}", "payload": payload} for i, payload in enumerate(events)]
    return {"command_id": f"c{first}", "first_version": first, "time": f"2026-01-0{first}T00:00:00Z", "gas": 1, "events": rows} | members


def fold_commits(run, messages, version=0, source=BANK, state=None, gas=PLENTY):
    return run.load(source).fold_commits(run.engine.state(state), messages, FoldExpectation("t1", "Account", ID, version, gas))


OPEN = {"type": "account_opened", "owner": "ann", "balance": 0}
DEPOSIT = {"type": "deposited", "amount": 1}


def test_commit_messages_are_folded_and_say_what_they_are(run):
    messages = [
        message([commit(1, [OPEN, DEPOSIT]), commit(3, [])], generation=2),
        message([commit(3, [], refused={"kind": "rejected"}), commit(3, [DEPOSIT], refused=None, more={"deep": [1]})], unknown=1),
    ]
    told = fold_commits(run, messages)
    assert told.error is None
    assert told.state.json() == b'{"balance":2,"owner":"ann"}'
    assert (told.count, told.version, told.time, told.generation) == (3, 3, "2026-01-03T00:00:00Z", 3)
    assert [tuple(row) for row in told.commits] == [
        (0, "c1", 1, 2, False),
        (0, "c3", 3, 0, False),
        (1, "c3", 3, 0, True),
        (1, "c3", 3, 1, False),
    ]


def test_apply_gets_the_meta_of_each_event(run):
    source = "def apply(state, event, meta):\n    return (state or []) + [meta]\n"
    told = fold_commits(run, [message([commit(5, [DEPOSIT, DEPOSIT])])], version=4, source=source)
    assert json.loads(told.state.json()) == [
        {"command_id": "c5", "event_id": f"e{i}", "time": "2026-01-05T00:00:00Z", "version": 5 + i} for i in range(2)
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"[]", "message 1 must be a map, not list"),
        (b"{", "message 1: the text ends too early"),
        (message([], v=2), "message 1: format version 2 is unknown"),
        (message([], v="1"), "message 1: v must be an integer"),
        (message([], tenant_id=None), "message 1: tenant_id must be a string"),
        (message([], tenant_id="t2"), 'message 1: tenant_id is "t2", not "t1"'),
        (message([], aggregate_type="Order"), 'message 1: aggregate_type is "Order", not "Account"'),
        (message([], aggregate_id="x"), f'message 1: aggregate_id is "x", not "{ID}"'),
        (message([], generation=-1), "message 1: generation must be a non-negative integer"),
        (message([], commits={}), "message 1: commits must be a list"),
        (message([5]), "message 1: commits[0] must be a map"),
        (message([commit(3, [], command_id=1)]), "message 1, commit 0: command_id must be a string"),
        (message([commit(3, [], first_version="3")]), "message 1, commit 0: first_version must be an integer"),
        (message([commit(4, [DEPOSIT])]), "message 1, commit 0: first_version is 4, not 3"),
        (message([commit(3, [DEPOSIT]), commit(3, [])]), "message 1, commit 1: first_version is 3, not 4"),
        (message([commit(3, [], time=None)]), "message 1, commit 0: time must be a string"),
        (message([commit(3, [], events=None)]), "message 1, commit 0: events must be a list"),
        (message([commit(3, [], events=[1])]), "message 1, commit 0: events[0] must be a map"),
        (message([commit(3, [], events=[{}])]), "message 1, commit 0, event 0: event_id must be a string"),
        (message([commit(3, [], events=[{"event_id": "e"}])]), "message 1, commit 0, event 0: payload must be a map"),
        (message([commit(3, [DEPOSIT, {}])]), "message 1, commit 0, event 1 has no type"),
        (message([commit(3, [{"type": 1}])]), "message 1, commit 0, event 0: type must be a string, not number"),
    ],
)
def test_a_wrong_message_ends_the_fold_before_it(run, raw, text):
    told = fold_commits(run, [message([commit(1, [OPEN, DEPOSIT])]), raw])
    record = error(told)
    assert (record["kind"], record["code"], record["message"]) == ("contract", "bad_input", text)
    assert list(record) == ["kind", "code", "message", "line", "column", "function", "gas_used"]
    assert (told.state.json(), told.count, told.version) == (b'{"balance":1,"owner":"ann"}', 2, 2)
    assert [tuple(row) for row in told.commits] == [(0, "c1", 1, 2, False)]


def test_a_failing_event_of_a_commit_ends_the_fold_there(run):
    bad = {"type": "deposited", "amount": "x"}
    told = fold_commits(run, [message([commit(1, [OPEN, DEPOSIT]), commit(3, [DEPOSIT, bad, DEPOSIT])])])
    record = error(told)
    assert (record["code"], record["index"], record["state"]) == ("type", 3, {"balance": 2, "owner": "ann"})
    assert (told.count, told.version, told.time) == (3, 3, "2026-01-01T00:00:00Z")
    assert [tuple(row) for row in told.commits] == [(0, "c1", 1, 2, False)]


def test_no_messages_change_nothing(run):
    told = fold_commits(run, [], version=7, state=ANN)
    assert (told.state.json(), told.count, told.version, told.time, told.generation, told.commits) == (ANN, 0, 7, "", 0, [])


def test_a_payload_may_be_as_deep_as_a_document(run):
    payload = '{"type":"a","x":' + "[" * 63 + "]" * 63 + "}"
    source = "def apply(state, event):\n    return event.x\n"
    raw = message([commit(1, [{"type": "a"}])]).replace(b'{"type": "a"}', payload.encode())
    assert fold_commits(run, [raw], source=source).error is None
    raw = raw.replace(b"[]", b"[[]]")
    assert error(fold_commits(run, [raw], source=source))["message"].startswith("message 0: nested deeper than 64")
