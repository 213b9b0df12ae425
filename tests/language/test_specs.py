"""Given/when/then: the examples hold their specs on every engine, and a case that does not hold says why."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import aggregate.examples
from aggregate import engine
from aggregate.config import AggregateManifest
from aggregate.errors import ConfigError
from aggregate.testing.differences import difference, pretty
from aggregate.testing.spec_files import find_specs, load_suites
from aggregate.testing.specs import Case, Suite
from tests.language.support import ENGINES

EXAMPLES = Path(aggregate.examples.__file__).parent
OPENED = {"type": "account_opened", "owner": "ann", "balance": 10}


@pytest.fixture
def bank() -> Suite:
    return Suite.of(AggregateManifest.bank())


def cases() -> list[object]:
    return [
        pytest.param(case, id=f"{path.parent.name}-{name}-{case.name}")
        for path in find_specs(EXAMPLES)
        for name in ENGINES
        for suite in load_suites(path, engine.get(name))
        for case in suite.cases
    ]


@pytest.mark.parametrize("case", cases())
def test_example_holds_its_spec(case: Case) -> None:
    case.check()


def test_gas_of_the_examples_is_the_same_on_both_engines() -> None:
    for path in find_specs(EXAMPLES):
        gas = [[result.gas for suite in load_suites(path, engine.get(name)) for result in suite.run()] for name in ENGINES]
        assert all(each == gas[0] for each in gas)


def test_a_case_in_python_holds(bank: Suite) -> None:
    bank.case("pays").given(OPENED).when({"type": "withdraw", "amount": Decimal("2.5")}).then({"type": "withdrawn", "amount": 2.5}).check()
    bank.case("state").given(OPENED).then_state({"owner": "ann", "balance": 10}).check()
    bank.case("given state").given_state({"balance": 3}).when({"type": "withdraw", "amount": 3}).then_state({"balance": 0}).check()
    bank.case("no").given(OPENED).when({"type": "withdraw", "amount": 11}).then_rejected(
        "insufficient_funds", details={"balance": 10}
    ).check()
    bank.case("fails").given(OPENED).when({"type": "withdraw"}).then_error("runtime/key", line=13).check()
    bank.case("event fails").given({"type": "deposited", "amount": 1}).then_error("runtime/type").check()
    assert [result.passed for result in bank.run()] == [True] * 6


def test_a_difference_is_readable(bank: Suite) -> None:
    case = bank.case("too little").given(OPENED).when({"type": "withdraw", "amount": 4}).then({"type": "withdrawn", "amount": 5})
    with pytest.raises(AssertionError) as caught:
        case.check()
    assert str(caught.value) == (
        'too little\nevents differ (- expected, + came):\n- [{"amount":5,"type":"withdrawn"}]\n+ [{"amount":4,"type":"withdrawn"}]'
    )


def test_another_outcome_than_expected_is_shown_whole(bank: Suite) -> None:
    rejected = bank.case("hopes").given(OPENED).when({"type": "withdraw", "amount": 40}).then({"type": "withdrawn", "amount": 40}).run()
    assert not rejected.passed
    assert "expected events:" in rejected.problems[0]
    assert "insufficient_funds" in rejected.problems[0]
    accepted = bank.case("fears").given(OPENED).when({"type": "withdraw", "amount": 4}).then_rejected("insufficient_funds").run()
    assert 'but came events:\n[{"amount":4,"type":"withdrawn"}]' in accepted.problems[0]


def test_wrong_gas_and_wrong_given_events_are_problems(bank: Suite) -> None:
    right = bank.case("gas").given(OPENED).when({"type": "deposit", "amount": 1}).run()
    wrong = bank.case("gas").given(OPENED).when({"type": "deposit", "amount": 1}).costs(right.gas + 1).run()
    assert wrong.problems == (f"gas differ (- expected, + came):\n- {right.gas + 1}\n+ {right.gas}",)
    broken = bank.case("history").given({"type": "deposited", "amount": 1}).when({"type": "deposit", "amount": 1}).then().run()
    assert "the given events cannot be applied" in broken.problems[0]


def test_ctx_and_meta_reach_the_program(tmp_path: Path) -> None:
    (tmp_path / "p.agl").write_text(
        "def decide(s, c, ctx):\n    return [event('t', at = ctx.time, v = ctx.version, kind = ctx.aggregate_type)]\n"
        "def apply(s, e, meta):\n    return [meta.version, meta.time]\n"
    )
    (tmp_path / "manifest.yaml").write_text("aggregates: {Thing: {program: p.agl}}")
    suite = Suite.of(tmp_path / "manifest.yaml")
    time = "2026-05-06T07:08:09.000Z"
    case = suite.case("ctx").given({"type": "t"}).when({"type": "c"}, time=time)
    case.then({"type": "t", "at": time, "v": 1, "kind": "Thing"}).then_state([2, time]).check()


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("cases: []", ["cases: expected a list of cases"]),
        ("casse: 1\ncases: [{name: a, when: {type: x}, then: []}]", ["casse: is unknown"]),
        ("cases: [5]", ["expected a mapping"]),
        ("cases: [{when: {type: x}}]", ["name: expected a text", "a case with `when` says"]),
        ("cases: [{name: a, given: 5, rejected: 5}]", ["given: expected a list", "rejected: expected a text or a mapping"]),
        ("cases: [{name: a, given: [nowhere], after: 1}]", ["no history is named 'nowhere'"]),
        ("cases: [{name: a, when: {type: x}, rejected: {code: a, detail: 5}}]", ["expected a `code` and of code, details, message"]),
        ("cases: [{name: a, afer: 5}]", ["afer: is unknown"]),
    ],
)
def test_what_is_wrong_with_a_spec_file_is_said_with_its_line(tmp_path: Path, text: str, mistakes: list[str]) -> None:
    (tmp_path / "spec.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_suites(tmp_path / "spec.yaml")
    for mistake in mistakes:
        assert mistake in str(caught.value)
    assert f"{tmp_path}/spec.yaml:" in str(caught.value)


def test_python_specs_are_found_and_run(tmp_path: Path) -> None:
    (tmp_path / "bank_spec.py").write_text(
        "from aggregate.config import AggregateManifest\nfrom aggregate.testing.specs import Suite\n"
        "bank = Suite.of(AggregateManifest.bank())\n"
        "bank.case('opens').when({'type': 'open_account'}).then({'type': 'account_opened', 'owner': None, 'balance': 0})\n"
    )
    (tmp_path / "other.py").write_text("x = 1\n")
    assert find_specs(tmp_path) == [tmp_path / "bank_spec.py"]
    assert [result.passed for suite in load_suites(tmp_path / "bank_spec.py") for result in suite.run()] == [True]
    with pytest.raises(ConfigError, match="has no Suite"):
        load_suites(tmp_path / "other.py")


def test_pretty_keeps_numbers_exact_and_short_values_on_a_line() -> None:
    assert pretty({"a": Decimal("0.1000000000000000000000000000000001")}) == '{"a":0.1000000000000000000000000000000001}'
    long = {"list": ["x" * 30, "y" * 30], "n": 1}
    assert pretty(long) == "\n".join(["{", '  "list": [', f'    "{"x" * 30}"', f'    "{"y" * 30}"', "  ]", '  "n": 1', "}"])


def test_equal_numbers_do_not_differ() -> None:
    assert difference({"a": 1.0}, {"a": 1}) == ""
    assert difference([1, 2], [1, 3]) == "- [1,2]\n+ [1,3]"
