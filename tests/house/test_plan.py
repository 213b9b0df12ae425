"""The numbered tests of the development plan: each is there under its number, and asserts something."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "plan"
MILESTONES = {1: 3, 2: 9, 3: 3, 4: 5, 5: 6, 6: 5, 7: 7, 8: 7, 9: 3, 10: 8, 12: 2, 13: 3, 14: 6, 15: 7}
"""Tests of each milestone, numbered from 1. Those of milestone 11 are its tasks 2 to 10."""
NUMBERS = [
    *(f"T{milestone}.{number}" for milestone, last in MILESTONES.items() for number in range(1, last + 1)),
    *(f"11.{number}" for number in range(2, 11)),
]


def _tests() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in FOLDER.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (found := re.match(r"test_(t?)(\d+)_(\d+)_", node.name)):
                yield f"{found[1].upper()}{found[2]}.{found[3]}", node


TESTS = list(_tests())


@pytest.mark.parametrize("number", NUMBERS)
def test_numbered_test_is_there(number: str) -> None:
    assert [node.name for name, node in TESTS if name == number], f"tests/plan has no test_{number.lower().replace('.', '_')}_..."


@pytest.mark.parametrize("node", [node for _, node in TESTS], ids=lambda node: node.name)
def test_numbered_test_asserts_something(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    assert any(_asserts(each) for each in ast.walk(node)), f"{node.name} asserts nothing"


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant)  # `assert True` says nothing
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "raises"
