"""The General Decimal Arithmetic cases that CPython ships with its tests, against both engines, by stated rules.

A case is used when its operands are numbers of the language and its result is defined by the spec. It is skipped, by the first rule
that holds, when
1. an operand or the result is no finite number (NaN, infinity, an encoded or missing one) or is outside of the domain;
2. the result is rounded, and precision, rounding mode or exponent range of the case are not those of the language;
3. it asks for what the language has not (quantize to places outside of 0..34, the mode 05up).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest
from test import __file__ as cpython_tests

from .support import PLENTY, ir

FOLDER = Path(cpython_tests).parent / "decimaltestdata"
OPERATIONS = {
    "add": "a + b",
    "subtract": "a - b",
    "multiply": "a * b",
    "divide": "a / b",
    "compare": "-1 if a < b else 0 if a == b else 1",
    "quantize": "round(a, places, mode)",
}
FILES = [name for op in OPERATIONS for name in (op, f"dd{op.title()}", f"dq{op.title()}")]
MODES = {"ceiling": "ceil", "floor": "floor", "up": "up", "down": "down"} | {f"half_{m}": f"half_{m}" for m in ("even", "up", "down")}
LINE = re.compile(r"(?P<id>\w+)\s+(?P<op>\w+)\s+(?P<operands>.+?)\s+->\s+(?P<result>\S+)\s*(?P<conditions>.*)")


@dataclass(frozen=True)
class Case:
    name: str
    op: str
    operands: list[Decimal]
    result: Decimal
    mode: str
    inexact: bool


def test_cases_agree_with_the_engine(engine, capsys):
    if not FOLDER.is_dir():
        pytest.skip("this Python has no decimal test files")
    used, skipped, wrong = Counter(), Counter(), []
    programs = {op: engine.load(ir(source, "expression")) for op, source in OPERATIONS.items()}
    for file in FILES:
        for found in cases(file):
            if isinstance(found, str):
                skipped[found] += 1
                continue
            used[found.op] += 1
            value = evaluated(programs[found.op], found)
            if value != text(found.result):
                wrong.append((found, value))
    with capsys.disabled():
        print(f"\ndecimal cases on {engine.name}: used {sum(used.values())} {dict(used)}, skipped {dict(skipped)}")
    assert not wrong, wrong[:10]
    assert all(used[op] > 100 for op in OPERATIONS), used


def evaluated(program, case: Case) -> str:
    members = {name: text(value) for name, value in zip("ab", case.operands, strict=False)}
    if case.op == "quantize":
        del members["b"]
        members["places"] = str(-case.operands[1].as_tuple().exponent)
        members["mode"] = f'"{MODES[case.mode]}"'
    state = "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"
    outcome = program.evaluate(state.encode(), None, PLENTY)
    return outcome.value.decode() if outcome.error is None else outcome.error.decode()


def cases(file: str) -> Iterator[Case | str]:
    """The cases of a file, or why one is skipped."""
    settings: dict[str, str] = {}
    for raw in (FOLDER / f"{file}.decTest").read_text(encoding="utf-8", errors="replace").splitlines():
        line = raw.split("--")[0].strip()
        directive = re.fullmatch(r"(\w+)\s*:\s*(\S+)", line)
        if directive:
            settings[directive[1].lower()] = directive[2].lower()
            continue
        match = LINE.fullmatch(line)
        if match and match["op"] in OPERATIONS:
            yield case(match, settings)


def case(match: re.Match[str], settings: dict[str, str]) -> Case | str:
    texts = [operand.strip("'") for operand in match["operands"].split()]
    try:
        operands, result = [Decimal(text) for text in texts], Decimal(match["result"].strip("'"))
    except InvalidOperation:
        return "1 no number"
    mode, inexact = settings["rounding"], "Inexact" in match["conditions"]
    if match["op"] == "quantize":
        places = -operands[1].as_tuple().exponent if operands[1].is_finite() else None
        if places is None or not 0 <= places <= 34 or mode not in MODES:
            return "3 not in the language"
        operands[1] = Decimal((0, (1,), -places))
    elif inexact and not (settings["precision"] == "34" and mode == "half_even" and result.is_finite() and small(result)):
        return "2 rounded otherwise"
    if not all(inside(number) for number in (*operands, result)):
        return "1 outside of the domain"
    return Case(match["id"], match["op"], operands, result, mode, inexact)


def small(result: Decimal) -> bool:
    """Rounded to 34 digits and not finer than 34 places: so does the language round."""
    return result.as_tuple().exponent >= -34 and result.adjusted() >= -1


def inside(number: Decimal) -> bool:
    if not number.is_finite():
        return False
    _, digits, exponent = number.as_tuple()
    coefficient = int("".join(map(str, digits)) or "0")
    while coefficient and coefficient % 10 == 0:
        coefficient //= 10
        exponent += 1
    return coefficient == 0 or (exponent >= -34 and len(str(coefficient)) + max(exponent, 0) <= 34)


def text(number: Decimal) -> str:
    """Plain decimal, normalised."""
    plain = f"{number:f}"
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if plain in ("-0", "") else plain
