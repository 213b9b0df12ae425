"""IR, unit weights and gas of the examples, and the words of typical mistakes: none of them changes by accident."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import aggregate.examples
from aggregate.language import check
from aggregate.language import compile as compile_source
from aggregate.testing.spec_files import load_suites
from tests.language.golden import check_golden
from tests.language.mistakes import TYPICAL

EXAMPLES = Path(aggregate.examples.__file__).parent
NAMES = ("bank", "order", "inventory")


def one_statement_a_line(document: dict[str, Any]) -> str:
    """IR in lines that a reader and a diff can take."""
    lines = [json.dumps({name: value for name, value in document.items() if name != "functions"}, sort_keys=True)]
    for function in document["functions"]:
        lines.append(json.dumps({name: value for name, value in function.items() if name != "body"}, sort_keys=True))
        lines += ["  " + json.dumps(statement) for statement in function["body"]]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_ir_and_weights_of_an_example_stay(name: str) -> None:
    source = (EXAMPLES / name / f"{name}.agl").read_text(encoding="utf-8")
    check_golden(f"{name}.ir", one_statement_a_line(json.loads(compile_source(source))))


@pytest.mark.parametrize("name", NAMES)
def test_gas_of_an_example_stays(name: str) -> None:
    results = [result for suite in load_suites(EXAMPLES / name / "spec.yaml") for result in suite.run()]
    assert all(result.passed for result in results)
    check_golden(f"{name}.gas", "".join(f"{result.gas:>6}  {result.name}\n" for result in results))


@pytest.mark.parametrize("name", TYPICAL)
def test_typical_mistake_reads_well(name: str) -> None:
    text = "\n".join(diagnostic.render(f"{name}.agl") for diagnostic in check(TYPICAL[name]))
    check_golden(f"mistakes/{name}.txt", text + "\n")
