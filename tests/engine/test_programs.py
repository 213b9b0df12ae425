# ruff: noqa: E501 (rows of a table stay lines)
"""Programs as a whole: decide, apply, execute, fold, consts, functions, filters (sections 1, 6, 8, rulings 25 to 44)."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from aggregate.engine import FoldExpectation

from .support import PLENTY, Outcome, document, ir

BANK = """
def decide(state, command):
    if command.type == "open_account":
        if state != None:
            reject("account already open", code = "already_open")
        return [event("account_opened", owner = command.get("owner"), balance = command.get("initial_balance", 0))]
    if state == None:
        reject("account is not open", code = "not_open")
    if command.type == "deposit":
        return [event("deposited", amount = command.amount)]
    if command.type == "withdraw":
        if command.amount > state.balance:
            reject("insufficient funds", code = "insufficient_funds", balance = state.balance)
        return [event("withdrawn", amount = command.amount)]
    if command.type == "twice":
        return [event("deposited", amount = command.amount)] * 2
    if command.type == "nothing":
        return []
    reject("unknown command " + command.type)

def apply(state, event):
    if event.type == "account_opened":
        return {"owner": event.owner, "balance": event.balance}
    if event.type == "deposited":
        return state | {"balance": state.balance + event.amount}
    if event.type == "withdrawn":
        return state | {"balance": state.balance - event.amount}
    return state
"""
ANN = b'{"balance":10,"owner":"ann"}'
ID = "0190a000-0000-7000-8000-000000000001"
CTX = {
    "tenant_id": "t1",
    "aggregate_type": "Account",
    "aggregate_id": ID,
    "version": 4,
    "command_id": "c1",
    "time": "2026-01-02T03:04:05.678Z",
    "metadata": {"a": 1},
}


def execute(run, source, state, command, ctx=None, decide_gas=PLENTY, apply_gas=PLENTY, meta=None):
    raw = None if ctx is None else document(ctx)
    program = run.load(source)
    return program.execute(run.engine.state(state), document(command), raw, decide_gas, apply_gas, None if meta is None else document(meta))


def error(result) -> dict:
    return json.loads(result.error)


# execute ---------------------------------------------------------------------------------------------------------------------------


def test_execute_gives_events_types_and_the_next_state(run):
    made = execute(run, BANK, None, {"type": "open_account", "owner": "ann", "initial_balance": 10})
    assert made.events == [b'{"balance":10,"owner":"ann","type":"account_opened"}']
    assert made.types == ["account_opened"]
    assert made.state.json() == ANN
    assert (made.rejection, made.error, made.phase) == (None, None, "decide")


def test_execute_adds_up_the_gas_of_decide_and_of_every_apply(run):
    command = {"type": "twice", "amount": 2}
    made = execute(run, BANK, ANN, command)
    decided = run.decide(BANK, ANN, command)
    first = run.apply(BANK, ANN, {"type": "deposited", "amount": 2})
    assert made.state.json() == b'{"balance":14,"owner":"ann"}'
    assert made.gas == decided.gas + 2 * first.gas


def test_no_events_is_an_acceptance(run):
    made = execute(run, BANK, ANN, {"type": "nothing"})
    assert (made.events, made.types, made.state.json(), made.error) == ([], [], ANN, None)


def test_a_rejection_is_an_outcome_with_details_and_gas(run):
    made = execute(run, BANK, ANN, {"type": "withdraw", "amount": 50})
    assert made.rejection == b'{"code":"insufficient_funds","details":{"balance":10},"message":"insufficient funds"}'
    assert (made.error, made.state, made.events) == (None, None, [])
    assert made.gas > 0
    assert json.loads(execute(run, BANK, ANN, {"type": "what"}).rejection)["code"] == "rejected"


def test_an_error_in_decide_names_function_and_place(run):
    made = execute(run, BANK, ANN, {"type": "deposit"})
    assert made.phase == "decide"
    assert error(made) == {
        "kind": "runtime",
        "code": "key",
        "message": 'no key "amount" in the map',
        "line": 10,
        "column": 53,
        "function": "decide",
        "gas_used": made.gas,
    }


def test_an_error_in_apply_is_of_its_phase_and_counts_all_gas(run):
    made = execute(run, BANK, ANN, {"type": "deposit", "amount": "x"})
    assert (made.phase, made.state, made.events) == ("apply", None, [])
    assert error(made)["function"] == "apply"
    assert error(made)["gas_used"] == made.gas > run.decide(BANK, ANN, {"type": "deposit", "amount": "x"}).gas


def test_gas_limits_are_those_of_decide_and_of_each_apply(run):
    command = {"type": "twice", "amount": 2}
    whole = execute(run, BANK, ANN, command)
    decide_gas = run.decide(BANK, ANN, command).gas
    apply_gas = (whole.gas - decide_gas) // 2
    assert execute(run, BANK, ANN, command, None, decide_gas, apply_gas).error is None
    short = execute(run, BANK, ANN, command, None, decide_gas - 1, apply_gas)
    assert (error(short)["code"], short.gas, short.phase) == ("out_of_gas", decide_gas - 1, "decide")
    assert error(short)["line"] is None
    late = execute(run, BANK, ANN, command, None, decide_gas, apply_gas - 1)
    assert (error(late)["code"], late.gas, late.phase) == ("out_of_gas", decide_gas + apply_gas - 1, "apply")


def test_what_comes_in_is_checked_in_order(run):
    only_apply = "def apply(state, event):\n    return state\n"
    only_decide = "def decide(state, command):\n    return []\n"
    assert error(execute(run, only_apply, None, b"?"))["message"] == "the program has no function decide"
    assert error(execute(run, only_decide, None, b"?"))["message"] == "the program has no function apply"
    assert error(execute(run, BANK, None, b"?", b"?"))["message"] == "command: unexpected character at byte 0"
    assert error(execute(run, BANK, None, {"type": "a"}, b"?"))["message"] == "ctx: unexpected character at byte 0"
    assert run.decide(BANK, b"?", b"!").error["message"] == "state: unexpected character at byte 0"
    for made in (execute(run, only_apply, None, b"?"), execute(run, BANK, None, b"?")):
        assert (made.gas, error(made)["gas_used"], made.phase) == (0, 0, "decide")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (b"[]", "command must be a map, not list"),
        (b"{}", "command has no type"),
        (b'{"type":1}', "command: type must be a string, not number"),
        (b'{"type":"1a"}', 'command: "1a" is no type; write a letter or _, then at most 127 letters, digits, _ . -'),
        (b'{"type":""}', 'command: "" is no type; write a letter or _, then at most 127 letters, digits, _ . -'),
        (b'{"type":"a\\n"}', 'command: "a\\n" is no type; write a letter or _, then at most 127 letters, digits, _ . -'),
        (document({"type": "\u00e9"}), 'command: "\u00e9" is no type; write a letter or _, then at most 127 letters, digits, _ . -'),
        (document({"type": "a" * 129}), 'command: "' + "a" * 79 + "… is no type; write a letter or _, then at most 127 letters, digits, _ . -"),
    ],
)
def test_a_command_is_a_map_with_a_type(run, command, message):
    record = error(execute(run, BANK, None, command))
    assert (record["kind"], record["code"], record["message"]) == ("contract", "bad_input", message)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("None", "decide must return a list of events, not null"),
        ("{}", "decide must return a list of events, not map"),
        ("[event('a')] * 1001", "decide may return 1000 events, not 1001"),
        ("[event('a'), 5]", "event 1 of decide must be a map, not number"),
        ("range(2)", "event 0 of decide must be a map, not number"),
        ("[{}]", "event 0 of decide has no type"),
        ("[{'type': None}]", "event 0 of decide: type must be a string, not null"),
        ("[event('a b')]", 'event 0 of decide: "a b" is no type; write a letter or _, then at most 127 letters, digits, _ . -'),
    ],
)
def test_decide_returns_a_list_of_events(run, returned, message):
    outcome = run.decide(f"def decide(state, command):\n    return {returned}\n")
    assert (outcome.code, outcome.error["message"], outcome.place) == ("contract/bad_output", message, None)


def test_a_thousand_events_and_an_empty_range_are_fine(run):
    assert run.decide("def decide(state, command):\n    return [event('a')] * 1000\n").value.count("type") == 1000
    assert run.decide("def decide(state, command):\n    return range(0)\n").value == "[]"


def test_values_of_one_call_are_inputs_of_the_next(run):
    source = "def decide(state, command):\n    x = [1]\n    return [event('a', x = x)]\ndef apply(state, event):\n    event.x.append(2)\n"
    assert error(execute(run, source, None, {"type": "c"}))["code"] == "frozen"
    source = "def apply(state, event):\n    if state == None:\n        return [1]\n    state.append(2)\n"
    folded = run.load(source).fold(run.engine.state(None), [b'{"type":"a"}'] * 2, PLENTY)
    assert error(folded)["code"] == "frozen"


# ctx and meta ------------------------------------------------------------------------------------------------------------------------


def test_ctx_is_given_to_programs_that_declare_it(run):
    source = "def decide(state, command, ctx):\n    return [event('a', v = ctx.version, t = ctx.metadata.a)]\n"
    assert run.decide(source, ctx=CTX).value == '[{"t":1,"type":"a","v":4}]'
    assert run.decide(source).error["message"] == "decide declares ctx, but none is given"
    assert run.decide(source, ctx=[]).error["message"] == "ctx must be a map, not list"
    assert run.decide("def decide(state, command, ctx):\n    ctx.version = 1\n", ctx=CTX).code == "runtime/frozen"
    assert run.decide("def decide(state, command):\n    return []\n", ctx=b"{").code == "contract/bad_input"
    assert run.decide("def decide(state, command):\n    return []\n", ctx=[]).value == "[]"


def test_execute_makes_the_meta_of_each_event_from_ctx(run):
    source = "def decide(state, command):\n    return [event('a')] * 2\ndef apply(state, event, meta):\n    return (state or []) + [meta]\n"
    assert run.load(source).needs_ctx
    made = execute(run, source, None, {"type": "c"}, CTX)
    ids = [run.engine.event_id("t1", ID, "c1", CTX["time"], index) for index in range(2)]
    assert json.loads(made.state.json()) == [
        {"command_id": "c1", "event_id": ids[index], "time": CTX["time"], "version": 5 + index} for index in range(2)
    ]
    assert error(execute(run, source, None, {"type": "c"}))["message"] == "apply declares ctx, but none is given"
    assert execute(run, source, None, {"type": "c"}, {"version": "x", "time": "noon"}).state.json() == b'[{"time":"noon"},{"time":"noon"}]'
    assert execute(run, source, None, {"type": "c"}, meta={"m": 1}).state.json() == b'[{"m":1},{"m":1}]'


def test_programs_say_what_they_have(run):
    bank = run.load(BANK)
    assert (bank.has_decide, bank.has_apply, bank.needs_ctx, bank.kind) == (True, True, False, "program")
    only = run.load("def apply(state, event, meta):\n    return 1\n")
    assert (only.has_decide, only.has_apply, only.needs_ctx) == (False, True, True)
    assert len(bank.digest) == 64
    assert run.load(BANK) is bank or run.load(BANK).digest == bank.digest


# fold --------------------------------------------------------------------------------------------------------------------------------

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


# fold_commits ------------------------------------------------------------------------------------------------------------------------


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
    assert [tuple(row) for row in told.commits] == [(0, "c1", 1, 2, False), (0, "c3", 3, 0, False), (1, "c3", 3, 0, True), (1, "c3", 3, 1, False)]


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


# functions and consts ----------------------------------------------------------------------------------------------------------------


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


# filters -----------------------------------------------------------------------------------------------------------------------------

ROW = {"balance": 60, "owner": {"country": "DE"}, "lines": {"a": {"qty": 4}}, "none": None}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("balance > 50", "true"),
        ("owner.country == 'DE' and balance in [60]", "true"),
        ("any([l.qty > 3 for l in lines.values()])", "true"),
        ("missing", "null"),
        ("missing.a['b'].c.upper()", "null"),
        ("missing + 1", "null"),
        ("'a' + missing", "null"),
        ("-missing", "null"),
        ("missing | {}", "null"),
        ("missing[1:2]", "null"),
        ("owner.zip", "null"),
        ("owner['zip']", "null"),
        ("missing > 1", "false"),
        ("1 <= none", "false"),
        ("not (missing > 1)", "true"),
        ("1 in missing", "false"),
        ("1 not in missing", "true"),
        ("missing == None", "true"),
        ("missing.get()", "null"),
        ("state.balance == 60 and meta.id == 'x'", "true"),
        ("missing and True", "null"),
        ("has(state, 'owner.country')", "true"),
    ],
)
def test_filters_treat_what_is_missing_as_null(run, source, value):
    outcome = run.filter(source, ROW, meta={"id": "x"})
    assert outcome.value == value


@pytest.mark.parametrize(
    ("source", "code", "place"),
    [
        ("balance", "runtime/filter_type", (1, 1)),
        ("(owner.country)", "runtime/filter_type", (1, 8)),
        ("len(missing) > 1", "runtime/type", (1, 1)),
        ("balance > 'a'", "runtime/type", (1, 9)),
        ("balance.x == 1", "runtime/type", (1, 9)),
        ("missing in 'abc'", "runtime/type", (1, 9)),
        ("owner[missing] == 1", "runtime/type", (1, 6)),
        ("any([x for x in missing])", "runtime/type", (1, 17)),
    ],
)
def test_other_errors_of_filters_stay_errors(run, source, code, place):
    outcome = run.filter(source, ROW)
    assert outcome.code == code
    if code != "runtime/filter_type" or "(" not in source:
        assert outcome.place == place
    assert outcome.error["function"] is None


def test_free_names_of_a_state_that_is_no_map_are_null(run):
    assert run.filter("balance == None", 5).value == "true"
    assert run.expression("[balance, state]", [1]).value == "[null,[1]]"


def test_expressions_have_no_null_safety(run):
    assert run.expression("missing.a").code == "runtime/type"
    assert run.expression("owner.zip", ROW).code == "runtime/key"


def matches(run, source, rows, per_row=10_000, total=PLENTY, metas=None):
    states = [run.engine.state(document(row)) if i % 2 else document(row) for i, row in enumerate(rows)]
    return run.load(source, "filter").matches(states, metas, per_row, total)


def test_matches_marks_rows_and_counts_errors(run):
    result = matches(run, "n > 1", [{"n": 2}, {"n": 1}, {}, {"n": "a"}, b"?", {"n": 3}])
    assert bytes(result.rows) == bytes([1, 0, 0, 2, 2, 1])
    assert (result.errors, result.error) == (2, None)
    assert json.loads(result.first_error)["code"] == "type"
    one = matches(run, "n > 1", [{"n": 2}])
    assert result.gas == 5 * one.gas


def test_matches_takes_a_meta_for_each_row(run):
    result = matches(run, "meta.id == 'a'", [{}, {}, {}], metas=[b'{"id":"a"}', b'{"id":"b"}', b"[]"])
    assert bytes(result.rows) == bytes([1, 0, 2])
    with pytest.raises(ValueError, match=r"."):
        matches(run, "True", [{}, {}], metas=[b"{}"])


def test_gas_of_rows_and_of_all(run):
    one = matches(run, "n > 1", [{"n": 2}]).gas
    short = matches(run, "n > 1", [{"n": 2}] * 2, per_row=one - 1)
    assert (bytes(short.rows), short.errors, short.error, short.gas) == (bytes([2, 2]), 2, None, 2 * (one - 1))
    spent = matches(run, "n > 1", [{"n": 2}] * 3, total=2 * one + 1)
    record = json.loads(spent.error)
    assert (bytes(spent.rows), record["code"], record["gas_used"], spent.gas) == (b"", "out_of_gas", 2 * one + 1, 2 * one + 1)
    assert matches(run, "n > 1", [{"n": 2}] * 3, total=3 * one).error is None


def test_calls_of_the_wrong_kind_are_refused(run):
    with pytest.raises(ValueError, match=r"."):
        run.load(BANK).evaluate(b"1", None, 5)
    with pytest.raises(ValueError, match=r"."):
        run.load("True", "filter").fold(run.engine.state(None), [], 5)
    with pytest.raises(ValueError, match=r"."):
        run.load("1", "expression").matches([], None, 5, 5)


# limits of what is made --------------------------------------------------------------------------------------------------------------


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
