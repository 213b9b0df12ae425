"""`decide` and `execute`: commands in, events, rejections and errors out; `ctx` and `meta` (rulings 25, 26, 29, 41, 47)."""

from __future__ import annotations

import json

import pytest

from .bank import ANN, BANK, CTX, ID, error
from .support import PLENTY, document


def execute(run, source, state, command, ctx=None, decide_gas=PLENTY, apply_gas=PLENTY, meta=None):
    raw = None if ctx is None else document(ctx)
    program = run.load(source)
    return program.execute(run.engine.state(state), document(command), raw, decide_gas, apply_gas, None if meta is None else document(meta))


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


@pytest.mark.parametrize(("returned", "code"), [("['x' * 200000] * 6", "limit"), ("range(100001)", "limit"), ("nest(state)", "depth")])
def test_a_state_that_cannot_be_written_is_an_error_of_apply(run, returned, code):
    source = (
        "def nest(x):\n    for i in range(65):\n        x = [x]\n    return x\ndef decide(state, command):\n    return [event('a')] * 2\n"
        f"def apply(state, event):\n    return {returned}\n"
    )
    made = execute(run, source, None, {"type": "c"})
    record = error(made)
    assert (record["kind"], record["code"], record["line"], made.phase, made.state, made.events) == (
        "resource",
        code,
        None,
        "apply",
        None,
        [],
    )
    assert record["gas_used"] == made.gas


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
        (
            document({"type": "a" * 129}),
            'command: "' + "a" * 79 + "… is no type; write a letter or _, then at most 127 letters, digits, _ . -",
        ),
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


def test_ctx_is_given_to_programs_that_declare_it(run):
    source = "def decide(state, command, ctx):\n    return [event('a', v = ctx.version, t = ctx.metadata.a)]\n"
    assert run.decide(source, ctx=CTX).value == '[{"t":1,"type":"a","v":4}]'
    assert run.decide(source).error["message"] == "decide declares ctx, but none is given"
    assert run.decide(source, ctx=[]).error["message"] == "ctx must be a map, not list"
    assert run.decide(source, ctx=b"null").error["message"] == "ctx must be a map, not null"
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
