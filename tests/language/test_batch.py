"""The batch door: one case a line in, one outcome a line out, whatever the line holds."""

from __future__ import annotations

import json

import pytest

from aggregate import engine
from aggregate.runtime.batch import run_line, run_lines
from tests.language.support import ENGINES

APPLY = json.dumps("def apply(s, e):\n    return e.x")
BANK = json.dumps("def decide(s, c):\n    return [event('t', x = c.x)]\ndef apply(s, e):\n    return e.x + (0 if s == None else s)")


@pytest.fixture(params=ENGINES)
def twin(request: pytest.FixtureRequest) -> engine.Engine:
    return engine.get(request.param)


def line(text: str, twin: engine.Engine) -> str:
    return run_line(text.encode(), twin).decode()


def message(text: str, twin: engine.Engine) -> str:
    outcome = json.loads(line(text, twin))
    assert (outcome["error"]["kind"], outcome["error"]["code"], outcome["gas"]) == ("contract", "bad_input", 0)
    return f"{outcome['id']} {outcome['error']['message']}"


def test_outcome_lines_have_their_members_in_order_and_no_spaces(twin: engine.Engine) -> None:
    assert line('{"id":1,"kind":"expression","source":"a + 0.50","call":"eval","args":{"state":{"a":2}},"gas":99}', twin) == (
        '{"id":1,"ok":2.5,"gas":12}'
    )
    assert line('{"call":"eval","id":"x","kind":"expression","source":"1 /","args":{}}', twin) == (
        '{"id":"x","error":{"kind":"compile","code":"syntax","message":"unexpected the end of the source; expected an expression",'
        '"line":1,"column":4,"function":null,"gas_used":0},"gas":0}'
    )
    program = json.dumps("def decide(s, c):\n    reject('no', code = 'c', b = 1, a = [2.50])")
    assert line(f'{{"id":null,"kind":"program","source":{program},"call":"decide","args":{{"command":{{"type":"x"}}}}}}', twin) == (
        '{"id":null,"rejected":{"code":"c","details":{"a":[2.5],"b":1},"message":"no"},"gas":34}'
    )


def test_an_id_is_any_document_and_is_given_back_canonical(twin: engine.Engine) -> None:
    text = '{"id": {"b": 1.50, "a": [ ]}, "kind": "expression", "source": "1", "call": "eval", "args": {}}'
    assert line(text, twin).startswith('{"id":{"a":[],"b":1.5},"ok":1,')
    assert line('{"kind":"expression","source":"1","call":"eval"}', twin).startswith('{"id":null,"ok":1,')


def test_arguments_reach_the_engine_as_they_were_written(twin: engine.Engine) -> None:
    def value(state: str) -> str:
        return line(f'{{"id":1,"kind":"expression","source":"x","call":"eval","args":{{"state":{state}}}}}', twin)

    assert '"ok":1234567890123456789.000000000000001' in value('{"x":1234567890123456789.000000000000001}')
    assert '"ok":0.1,' in value('{"x":1.00e-1}')
    assert "stands twice" in value('{"x":1,"x":1}')
    assert '"ok":[[' in value('{"x":' + "[" * 62 + "]" * 62 + "}")
    assert "nested deeper" in value('{"x":' + "[" * 64 + "]" * 64 + "}")
    assert '"ok":"}\\"]"' in value('{"x":"}\\"]"}')


def test_fold_names_the_event_that_fails_and_the_state_before_it(twin: engine.Engine) -> None:
    text = f'{{"id":1,"kind":"program","source":{BANK},"call":"fold","args":{{"state":1,"events":[{{"type":"t","x":2}},{{"type":"t"}}]}}}}'
    record = json.loads(line(text, twin))["error"]
    assert list(record)[-2:] == ["index", "state"]
    assert (record["code"], record["index"], record["state"]) == ("key", 1, 3)
    assert line(text.replace(',{"type":"t"}', ""), twin).startswith('{"id":1,"ok":3,"gas":')


def test_execute_gives_events_and_state_and_all_the_gas(twin: engine.Engine) -> None:
    text = f'{{"id":1,"kind":"program","source":{BANK},"call":"execute","args":{{"state":1,"command":{{"type":"c","x":2}}}}}}'
    outcome = json.loads(line(text, twin))
    assert outcome["ok"] == {"events": [{"type": "t", "x": 2}], "state": 3}
    decided = json.loads(line(text.replace("execute", "decide"), twin))
    applied = text.replace("execute", "apply").replace('"command":{"type":"c"', '"event":{"type":"t"')
    assert outcome["gas"] == decided["gas"] + json.loads(line(applied, twin))["gas"]


def test_matches_gives_a_bool_for_each_row(twin: engine.Engine) -> None:
    text = (
        '{"id":1,"kind":"filter","source":"a > meta.v","call":"matches","args":{"states":[{"a":1},{"a":3},5],"metas":[{"v":2},{"v":2},{}]}}'
    )
    assert json.loads(line(text, twin))["ok"] == [False, True, False]
    assert "args.metas must be a list of 3 elements" in message(text.replace(',{"v":2},{}', ""), twin)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("nope", "None line: unexpected character at byte 0"),
        ("[]", "None line: unexpected character at byte 0"),
        ('{"id":7', "7 line: the text ends too early"),
        ('{"id":7,"id":8}', '7 line: key "id" stands twice at byte 8'),
        ('{"id":7}', "7 line: call must be a string"),
        ('{"id":7} x', "7 line: unexpected text after the value at byte 9"),
        ('{"id":nope,"call":"eval"}', "None document: unexpected character at byte 0"),
        ('{"id":7,"call":"walk"}', "7 line: call must be one of decide, apply, fold, execute, matches, eval"),
        ('{"id":7,"call":"eval","kind":"program"}', "7 line: kind must be filter or expression for eval"),
        ('{"id":7,"call":"eval","kind":"filter","source":1}', "7 line: source must be a string"),
        ('{"id":7,"call":"eval","kind":"filter","source":"a","args":[]}', "7 args: unexpected character at byte 0"),
        ('{"id":7,"call":"eval","kind":"filter","source":"a","gas":1.5}', "7 line: gas must be an integer from 0 to 9223372036854775807"),
        (
            '{"id":7,"call":"eval","kind":"filter","source":"a","gas":9223372036854775808}',
            "7 line: gas must be an integer from 0 to 9223372036854775807",
        ),
        ('{"id":7,"call":"eval","kind":"filter","source":"a","args":{"state":[1,}', "7 line: the text ends too early"),
        ('{"id":7,"call":"eval","kind":"filter","source":"a","args":{"state":[1,]}}', "7 state: unexpected character at byte 3"),
        ('{"id":7,"call":"matches","kind":"filter","source":"a"}', "7 line: args.states must be given"),
        ('{"id":7,"call":"matches","kind":"filter","source":"a","args":{"states":{}}}', "7 states: unexpected character at byte 0"),
        (f'{{"id":7,"call":"apply","kind":"program","source":{APPLY}}}', "7 line: args.event must be given"),
    ],
)
def test_what_is_wrong_with_a_line_is_its_outcome(text: str, wanted: str, twin: engine.Engine) -> None:
    assert message(text, twin) == wanted


def test_a_line_that_is_not_utf8_is_refused(twin: engine.Engine) -> None:
    outcome = json.loads(run_line(b'{"id":1,"call":"eval","kind":"expression","source":"\xff"}', twin))
    assert outcome["error"]["code"] == "bad_input"


def test_lines_follow_one_another_and_empty_ones_are_passed_over(twin: engine.Engine) -> None:
    lines = [
        b'{"id":1,"kind":"expression","source":"1","call":"eval"}\n',
        b"\n",
        b"nope\r\n",
        b'{"id":2,"kind":"expression","source":"2","call":"eval"}',
    ]
    assert [json.loads(outcome)["id"] for outcome in run_lines(lines, twin)] == [1, None, 2]


def test_a_defect_of_ours_in_one_case_does_not_end_the_others(twin: engine.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregate.runtime.batch._compiled", lambda source, kind: 1 / 0)
    outcome = json.loads(line('{"id":1,"kind":"expression","source":"1","call":"eval"}', twin))
    assert (outcome["id"], outcome["error"]["kind"], outcome["error"]["code"]) == (1, "internal", "engine_bug")
