"""Strangers write sources: whatever stands in one, it compiles or is refused, soon, and Python's recursion limit is never met."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate.errors import CompileError, ErrorRecord
from aggregate.language import check
from aggregate.language import compile as compile_source

FULL = 64 * 1024
SECONDS = 10.0
"""About two on a quiet machine; tests run on busy ones."""

SOURCES = {
    "sum": ("expression", "1+" * 9_999 + "1", None),
    "sum_too_long": ("expression", "1+" * 32_767 + "1", "too_big"),
    "logic": ("expression", "a and " * 9_999 + "a", None),
    "fields": ("expression", "a" + ".b" * 19_999, None),
    "indexes": ("expression", "a" + "[0]" * 9_999, None),
    "methods": ("expression", "a" + ".b()" * 9_999, "name"),
    "calls": ("expression", "a" + "()" * 30_000, "too_big"),
    "elif": ("program", "def f(a):\n if a: pass\n" + " elif a: pass\n" * 4_600, None),
    "parentheses": ("expression", "(" * FULL, "too_big"),
    "braces": ("expression", "{" * FULL, "too_big"),
    "closing": ("expression", ")" * FULL, "syntax"),
    "minus": ("expression", "-" * (FULL - 1) + "1", "too_big"),
    "not": ("expression", "not " * 16_000 + "1", "too_big"),
    "conditional": ("expression", "1 if 1 else " * 5_400 + "1", "too_big"),
    "tuple": ("expression", "a," * 32_000, "unsupported"),
    "list": ("expression", "[" + "1," * 19_999 + "]", None),
    "map_of_one_key": ("expression", "{" + "'a':1," * 9_900 + "}", "duplicate"),
    "comprehension_clauses": ("expression", "[1 " + "for a in b " * 5_800 + "]", None),
    "names": ("expression", "[1 " + "".join(f"for a{i} in b " for i in range(70)) + "]", "too_big"),
    "consts": ("program", "A = 1\n" * 10_000, "duplicate"),
    "many_consts": ("program", "".join(f"A{i}=1\n" for i in range(6_000)), None),
    "functions": ("program", "def f():pass\n" * 5_000, "duplicate"),
    "unknown_names": ("program", "def f():\n return [" + "".join(f"abcdef{i}," for i in range(5_500)) + "]", "name"),
    "blocks": ("program", "def f(a):\n" + "".join(" " * i + "if a:\n" for i in range(1, 340)), "too_big"),
    "one_blocks": ("program", "def f(a):\n" + " if a:\n  pass\n" * 4_000, None),
    "quotes": ("expression", "'" * FULL, "syntax"),
    "triple_quotes": ("expression", '"""' * 21_000, "syntax"),
    "backslashes": ("expression", '"' + "\\" * (FULL - 1), "syntax"),
    "escapes": ("expression", '"' + "\\u0041" * 10_900 + '"', None),
    "digits": ("expression", "1" * FULL, "syntax"),
    "zeros": ("expression", "1." + "0" * (FULL - 2), None),
    "exponent": ("expression", "1e" + "9" * (FULL - 2), "syntax"),
    "underscores": ("expression", "_" * FULL, "too_big"),
    "comment": ("program", "#" * FULL, None),
    "lines": ("program", "\n" * FULL, None),
    "comment_lines": ("program", "\n#" * (FULL // 2), None),
    "syntax_mistakes": ("program", "def f(\n" * 9_000, "syntax"),
    "dots": ("expression", "a." * (FULL // 2), "syntax"),
    "equals": ("program", "def f():\n " + "a=" * 32_000 + "1", "syntax"),
    "repeated_text_const": ("program", "A = 'a' * 9000 * 9000 * 9000", "too_big"),
    "const_doubling": ("program", "A0 = [1]\n" + "".join(f"A{i} = A{i - 1} + A{i - 1}\n" for i in range(1, 40)), "too_big"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_hostile_source_ends_soon(name: str) -> None:
    kind, source, code = SOURCES[name]
    assert len(source) <= FULL
    started = time.perf_counter()
    if code is None:
        assert compile_source(source, kind)
    else:
        with pytest.raises(CompileError) as caught:
            compile_source(source, kind)
        assert caught.value.record.code == code
        assert len(caught.value.records) <= 100
    assert time.perf_counter() - started < SECONDS


def test_a_deep_source_needs_no_python_recursion() -> None:
    script = (
        "import sys\n"
        "from aggregate.language import check, compile\n"
        "compile('1', 'expression')\n"  # builds the parser, which may nest
        "sys.setrecursionlimit(150)\n"
        "assert len(compile('1+' * 9999 + '1', 'expression')) > 300_000\n"
        "assert check('(' * 65000, 'expression')[0].record.code == 'too_big'\n"
        "assert check('def f(a):\\n return ' + '-' * 60000 + 'a')[0].record.code == 'too_big'\n"
        "assert check('def f(a):\\n return ' + 'a.b + ' * 6000 + 'a') != []\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


PIECES = st.sampled_from(
    [
        *(
            "def ",
            "f",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ":",
            ",",
            ".",
            "=",
            "==",
            "+=",
            "+",
            "-",
            "*",
            "**",
            "/",
            "|",
            "<",
            "if ",
            "else ",
            "elif ",
        ),
        *(
            "for ",
            "in ",
            "not ",
            "and ",
            "or ",
            "is ",
            "return ",
            "break",
            "pass",
            "lambda ",
            "while ",
            "load",
            "class ",
            "\n",
            "\n    ",
            "\n  ",
        ),
        *(
            "x",
            "state",
            "event",
            "reject",
            "len",
            "'a'",
            '"',
            "'",
            '"""',
            "\\",
            "1",
            "0",
            "01",
            "1.5",
            "1e9",
            "\t",
            " ",
            "#",
            "\r",
            "\r\n",
            "\ufeff",
        ),
        *("é", "\U0001f600", "\ud800", "\x00", ";", "!", "&&", "->", "@", "None", "true", "f'", "b'", "def apply(s, e):\n    return "),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=40), st.sampled_from(["program", "filter", "expression"]))
def test_any_text_compiles_or_is_refused_with_places(pieces: list[str], kind: str) -> None:
    source = "".join(pieces)
    records = mistakes(source, kind)
    lines = source.replace("\r\n", "\n").split("\n")
    places = [(record.line or 0, record.column or 0) for record in records]
    assert places == sorted(places)
    assert all(1 <= line <= len(lines) and 1 <= column <= max(map(len, lines)) + 2 for line, column in places)
    assert all((record.kind, record.gas_used) == ("compile", 0) for record in records)
    found = check(source, kind)
    assert [diagnostic.record for diagnostic in found if diagnostic.severity == "error"] == records
    assert all("^" in diagnostic.render("x.agl") for diagnostic in found)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["program", "filter", "expression"]))
def test_any_characters_compile_or_are_refused(source: str, kind: str) -> None:
    assert (mistakes(source, kind) == []) == (check(source, kind) == [] or check(source, kind)[0].severity == "warning")


def mistakes(source: str, kind: str) -> list[ErrorRecord]:
    """The records of a source that does not compile; of one that does, nothing."""
    try:
        assert compile_source(source, kind).startswith(b"{")
    except CompileError as error:
        return error.records
    return []
