"""The language page tells the truth: its programs compile, its expressions have the values it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from aggregate import engine
from aggregate.errors import CompileError
from aggregate.language import check
from aggregate.language import compile as compile_source
from aggregate.language.vocabulary import ABSENT, FUNCTIONS, METHODS, RESERVED
from tests.language.support import ENGINES

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
VALUES = [line.split("=>") for language, block in BLOCKS if language == "eval" for line in block.splitlines()]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_an_expression_has_the_value_that_the_page_says(expression: str, value: str, name: str) -> None:
    program = engine.get(name).load(compile_source(expression, "expression"))
    assert program.evaluate(b"null", None, 10_000).value == value.strip().encode()


def test_programs_of_the_page_compile() -> None:
    programs = [block for language, block in BLOCKS if language == "agl"]
    assert programs
    assert [check(program) for program in programs] == [[]] * len(programs)


def test_every_built_in_and_method_is_on_the_page() -> None:
    section = PAGE[PAGE.index("## 5. Built-ins") : PAGE.index("## 6.")]
    assert all(re.search(rf"`{name}\(", section) for name in (*FUNCTIONS, *METHODS))


@pytest.mark.parametrize("word", sorted(RESERVED - {"True", "true", "False", "false", "None", "null"}))
def test_a_reserved_word_is_no_name(word: str) -> None:
    for source in (
        f"{word} = 1",
        f"def {word}():\n    pass",
        f"def f({word}):\n    pass",
        f"def f():\n    {word} = 1",
        f"def f(x):\n    return x.{word}",
    ):
        with pytest.raises(CompileError) as caught:
            compile_source(source)
        assert caught.value.record.code == "syntax", source


@pytest.mark.parametrize("word", sorted(ABSENT - {"from", "is", "def"}))
def test_a_construct_that_is_missing_is_named(word: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_source(f"def f(x):\n    {word} x: pass")
    assert caught.value.record.code == "unsupported"
    assert f"`{word}`" in caught.value.record.message


def test_any_json_text_is_a_literal() -> None:
    text = r'{"a": [true, false, null, -1.5e2, "\/\b\f\n\r\t\"\\\u00e9\ud83d\ude00"], "b": {}, "c": [], "from": 0}'
    value = engine.get("pure").load(compile_source(text, "expression")).evaluate(b"null", None, 10_000).value
    assert value is not None
    assert json.loads(value) == json.loads(text)
