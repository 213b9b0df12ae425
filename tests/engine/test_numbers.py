"""Exact numbers: by ruling, at the edges of the domain, and against `decimal` with generated operands."""

from __future__ import annotations

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    Inexact,
)
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate import engine as door

from .support import Programs

BIG = "9" * 34
HUNDRED = settings(max_examples=150, deadline=None)
ENGINES = [name for name in ("pure", "native") if door.available(name)]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("2.50", "2.5"),
        ("2.0", "2"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        ("0.1 + 0.2", "0.3"),
        ("1 / 3", "0.3333333333333333333333333333333333"),
        ("2 / 3", "0.6666666666666666666666666666666667"),
        ("10 / 4", "2.5"),
        ("6 / 3", "2"),
        ("100000 / 3", "33333.33333333333333333333333333333"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("7 % -2", "-1"),
        ("-7 % 2", "1"),
        ("7.5 % 2", "1.5"),
        ("-0.5 // 1", "-1"),
        (f"{BIG} - 1 + 1", BIG),
        ("1e33 + 0.5", "1" + "0" * 33),
        ("1e33 + 1.5", "1" + "0" * 32 + "2"),
        ("0.9999999999999999999999999999999999 + 0.0000000000000000000000000000000001", "1"),
        ("0.9999999999999999999999999999999999 * 0.9999999999999999999999999999999999", "0.9999999999999999999999999999999998"),
        ("1e-17 * 1e-18", "0"),
        ("15e-18 * 1e-17", "0.0000000000000000000000000000000002"),
        ("9223372036854775807 + 1", "9223372036854775808"),
        ("-9223372036854775808 - 1", "-9223372036854775809"),
        ("-(2.5)", "-2.5"),
        ("1.10 == 1.1", "true"),
        ("1 < 1.000000000000000000000000000000001", "true"),
        ("True == 1", "false"),
    ],
)
def test_arithmetic_is_exact_or_rounded_once(run, source, value):
    assert run.value(source) == value


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (f"{BIG} + 1", "runtime/overflow"),
        (f"-{BIG} - 1", "runtime/overflow"),
        ("1e17 * 1e17", "runtime/overflow"),
        (f"{BIG} + 0.5", "runtime/overflow"),
        ("1e33 / 1e-1", "runtime/overflow"),
        ("1e33 // 1e-1", "runtime/overflow"),
        ("-1e-34 % 1e30", "runtime/overflow"),
        ("1 / 0", "runtime/div_zero"),
        ("1.5 // 0", "runtime/div_zero"),
        ("0 % 0", "runtime/div_zero"),
        ("True + 1", "runtime/type"),
        ("1 + None", "runtime/type"),
        ("-'a'", "runtime/type"),
        ("not 1 < 'a'", "runtime/type"),
    ],
)
def test_what_does_not_fit_is_an_error(run, source, code):
    assert run.error(source) == code


@pytest.mark.parametrize(
    ("mode", "values"),
    [
        ("half_even", ("2", "-2", "4", "0", "1")),
        ("half_up", ("3", "-3", "4", "0", "1")),
        ("half_down", ("2", "-2", "3", "0", "1")),
        ("up", ("3", "-3", "4", "1", "1")),
        ("down", ("2", "-2", "3", "0", "0")),
        ("floor", ("2", "-3", "3", "0", "0")),
        ("ceil", ("3", "-2", "4", "1", "1")),
    ],
)
def test_rounding_modes_are_those_of_decimal_arithmetic(run, mode, values):
    numbers = ("2.5", "-2.5", "3.5", "0.2", "0.9")
    assert tuple(run.value(f"round({number}, 0, '{mode}')") for number in numbers) == values


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("round(2.345, 2)", "2.34"),
        ("round(2.345, places = 2, mode = 'half_up')", "2.35"),
        ("round(7)", "7"),
        ("fixed(2.5, 2)", '"2.50"'),
        ("fixed(-0.001, 2)", '"0.00"'),
        ("fixed(-1.5, 0)", '"-2"'),
        ("fixed(12, 0)", '"12"'),
        ("fixed(1e33, 3)", '"1' + "0" * 33 + '.000"'),
        ("split(100, 3, 2)", "[33.34,33.33,33.33]"),
        ("split(-100, 3, 2)", "[-33.34,-33.33,-33.33]"),
        ("split(0, 2, 2)", "[0,0]"),
        ("split(0.05, 3, 2)", "[0.02,0.02,0.01]"),
        ("sum(split(10, 7, 2)) == 10", "true"),
        ("int(2.9)", "2"),
        ("int(-2.9)", "-2"),
        ("int('007')", "7"),
        ("number('-12.50')", "-12.5"),
        ("number('0.' + '0' * 40)", "0"),
        ("abs(-2.5)", "2.5"),
        ("sum([0.1] * 10)", "1"),
        ("str(2.50)", '"2.5"'),
        ("max(1, 2.5, 2)", "2.5"),
        ("min([3, 1.5, 1.50])", "1.5"),
        ("sorted([2, 1.5, -3, 1.25])", "[-3,1.25,1.5,2]"),
        ("sorted([2, 1.5, -3, 1.25], reverse = True)", "[2,1.5,1.25,-3]"),
    ],
)
def test_number_functions(run, source, value):
    assert run.value(source) == value


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("round(1.5, 35)", "runtime/value"),
        ("round(1.5, 0.5)", "runtime/value"),
        ("round(1.5, 0, 'even')", "runtime/value"),
        ("round(1.5, 'a')", "runtime/type"),
        ("round(1.5, 0, places = 1)", "runtime/arity"),
        ("split(1.005, 2, 2)", "runtime/value"),
        ("split(1, 0, 2)", "runtime/value"),
        ("split(1, 100001, 2)", "resource/limit"),
        ("split(1e33, 3, 34)", "runtime/overflow"),
        ("int('1.5')", "runtime/value"),
        ("int(True)", "runtime/type"),
        ("number('')", "runtime/value"),
        ("number('+1')", "runtime/value"),
        ("number('1e3')", "runtime/value"),
        ("number('1.')", "runtime/value"),
        ("number(' 1')", "runtime/value"),
        ("number('1' * 35)", "runtime/overflow"),
        ("number('\u0661')", "runtime/value"),
        ("number('0.' + '0' * 34 + '1')", "runtime/overflow"),
        ("sum([1, 'a'])", "runtime/type"),
        (f"sum([{BIG}, 1])", "runtime/overflow"),
        ("min([])", "runtime/value"),
        ("max([1, 'a'])", "runtime/type"),
        ("abs('a')", "runtime/type"),
    ],
)
def test_number_functions_refuse(run, source, code):
    assert run.error(source) == code


PRECISE = Context(prec=120)
numbers = st.builds(
    lambda coefficient, scale: Decimal(coefficient).scaleb(-scale, PRECISE),
    st.one_of(
        st.integers(-(10**34) + 1, 10**34 - 1), st.integers(-(10**6), 10**6), st.sampled_from([2**63 - 1, 2**63, -(2**63), 10**34 - 1])
    ),
    st.integers(0, 34),
)


def plain(number: Decimal) -> str:
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def expected(exact: Fraction) -> str | None:
    """What the spec makes of an exact result; None where it overflows."""
    if exact.denominator == 1:
        return str(exact.numerator) if abs(exact.numerator) < 10**34 else None
    for places in range(34, -1, -1):
        rounded = round(exact * 10**places)  # Fraction rounds half to even
        if abs(rounded) <= 10**34:
            value = plain(Decimal(rounded).scaleb(-places, PRECISE))
            if abs(Fraction(value)) < 10**34:
                return value
    return None


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("op", ["+", "-", "*", "/"])
@HUNDRED
@given(a=numbers, b=numbers)
def test_operators_agree_with_exact_fractions(name, op, a, b):
    run = Programs(door.get(name))
    if op == "/" and b == 0:
        return
    left, right = Fraction(a), Fraction(b)
    exact = {"+": left + right, "-": left - right, "*": left * right, "/": left / right if right else None}[op]
    outcome = run.expression(f"a {op} b", f'{{"a":{plain(a)},"b":{plain(b)}}}'.encode())
    wanted = expected(exact)
    if wanted is None:
        assert outcome.code == "runtime/overflow"
    else:
        assert outcome.value == wanted


@pytest.mark.parametrize("name", ENGINES)
@HUNDRED
@given(a=numbers, b=numbers)
def test_floor_division_and_remainder_belong_together(name, a, b):
    run = Programs(door.get(name))
    if b == 0:
        return
    state = f'{{"a":{plain(a)},"b":{plain(b)}}}'.encode()
    quotient, rest = Fraction(a) // Fraction(b), Fraction(a) % Fraction(b)
    divided, remainder = run.expression("a // b", state), run.expression("a % b", state)
    if abs(quotient) < 10**34:
        assert divided.value == str(quotient)
    else:
        assert divided.code == "runtime/overflow"
    if remainder.value is None:
        assert remainder.code == "runtime/overflow"
        assert expected(rest) is None or Fraction(expected(rest)) != rest
    else:
        assert Fraction(remainder.value) == rest


@pytest.mark.parametrize("name", ENGINES)
@HUNDRED
@given(a=numbers, b=numbers)
def test_comparison_is_exact(name, a, b):
    run = Programs(door.get(name))
    state = f'{{"a":{plain(a)},"b":{plain(b)}}}'.encode()
    assert run.expression("[a < b, a <= b, a == b, a != b, a >= b, a > b]", state).value == "[{}]".format(
        ",".join(str(result).lower() for result in (a < b, a <= b, a == b, a != b, a >= b, a > b))
    )


DECIMAL_MODES = {
    "half_even": ROUND_HALF_EVEN,
    "half_up": ROUND_HALF_UP,
    "half_down": ROUND_HALF_DOWN,
    "up": ROUND_UP,
    "down": ROUND_DOWN,
    "floor": ROUND_FLOOR,
    "ceil": ROUND_CEILING,
}


@pytest.mark.parametrize("name", ENGINES)
@HUNDRED
@given(a=numbers, places=st.integers(0, 34), mode=st.sampled_from(sorted(DECIMAL_MODES)))
def test_rounding_agrees_with_decimal(name, a, places, mode):
    run = Programs(door.get(name))
    outcome = run.expression(f"[round(a, {places}, '{mode}'), fixed(a, {places})]", f'{{"a":{plain(a)}}}'.encode())
    unit = Decimal(1).scaleb(-places, PRECISE)
    rounded = a.quantize(unit, DECIMAL_MODES[mode], PRECISE)
    shown = f"{a.quantize(unit, ROUND_HALF_EVEN, PRECISE):f}"
    shown = shown[1:] if shown.startswith("-") and Decimal(shown) == 0 else shown
    assert outcome.value == f'[{plain(rounded)},"{shown}"]'


@pytest.mark.parametrize("name", ENGINES)
@HUNDRED
@given(units=st.integers(-(10**20), 10**20), n=st.integers(1, 50), places=st.integers(0, 10))
def test_split_sums_exactly_and_differs_by_one_unit(name, units, n, places):
    run = Programs(door.get(name))
    amount = Decimal(units).scaleb(-places, PRECISE)
    outcome = run.expression(f"split(a, {n}, {places})", f'{{"a":{plain(amount)}}}'.encode())
    parts = [Fraction(part) for part in outcome.value[1:-1].split(",")]
    assert len(parts) == n
    assert sum(parts) == Fraction(amount)
    assert max(parts) - min(parts) <= Fraction(1, 10**places)
    assert sorted(parts, key=abs, reverse=True) == parts


def test_decimal_oracle_rounds_as_the_language_does_at_its_precision():
    context = Context(prec=34, rounding=ROUND_HALF_EVEN)
    quotient = context.divide(Decimal(2), Decimal(3))
    assert context.flags[Inexact]
    assert plain(quotient) == expected(Fraction(2, 3))
