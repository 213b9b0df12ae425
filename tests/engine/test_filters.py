"""Filters and expressions: null-safety, results, rows, gas of rows (section 6, rulings 5, 35, 39, 44)."""

from __future__ import annotations

import json

import pytest

from .bank import BANK
from .support import PLENTY, document

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
