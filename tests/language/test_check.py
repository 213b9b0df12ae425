"""What `check` says beside mistakes: warnings, lines, carets; and that all mistakes of a source are found at once."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

import aggregate.examples
import aggregate.language
from aggregate.errors import CompileError
from aggregate.language import check
from aggregate.language import compile as compile_source
from aggregate.language.mistakes import MESSAGES

EXAMPLES = Path(aggregate.examples.__file__).parent


def said(source: str, kind: str = "program") -> list[str]:
    return [f"{d.record.line}:{d.record.column} {d.record.message}" for d in check(source, kind)]


@pytest.mark.parametrize("name", ["bank", "order", "inventory"])
def test_examples_are_without_a_warning(name: str) -> None:
    assert check((EXAMPLES / name / f"{name}.agl").read_text(encoding="utf-8")) == []


def test_names_that_nobody_reads() -> None:
    source = (
        "A = 1\n_B = 2\nC = 3\nD = C\n"
        "def helper(x, y, _z):\n    a = x\n    b = 1\n    b += 1\n    c, _d = x\n    for i in x:\n        pass\n    return [1 for k in x]\n"
        "def apply(state, event):\n    return D\n"
    )
    assert said(source) == [
        "1:1 const A is never read",
        "5:5 function helper is never called",
        "5:15 parameter y is never read",
        "6:5 a is assigned, but never read; begin its name with _ if that is meant",
        "7:5 b is assigned, but never read; begin its name with _ if that is meant",
        "9:5 c is assigned, but never read; begin its name with _ if that is meant",
        "10:9 i is assigned, but never read; begin its name with _ if that is meant",
        "12:19 k is assigned, but never read; begin its name with _ if that is meant",
    ]


def test_event_types_that_only_one_side_knows() -> None:
    source = (
        'KNOWN = ["c", "d"]\n'
        'def made(x):\n    return event("b", x = x)\n'
        'def decide(state, command):\n    return [event("a"), made(1), {"type": "e"}, event("c")]\n'
        'def apply(state, event):\n    if event.type == "a" or event.type in KNOWN or "f" == event.type:\n        return 1\n'
        "    return state\n"
    )
    assert said(source) == [
        "1:15 apply looks at events of type d, but decide makes none",
        "3:18 decide makes events of type b, but apply does not look at them",
        "5:43 decide makes events of type e, but apply does not look at them",
        "7:52 apply looks at events of type f, but decide makes none",
    ]


@pytest.mark.parametrize(
    "source",
    [
        'def decide(s, c):\n    return [event(c.type)]\ndef apply(s, e):\n    if e.type == "a":\n        return 1\n',
        'def decide(s, c):\n    return [event("a")]\ndef apply(s, e):\n    return {"last": e.type}\n',
        'def decide(s, c):\n    return [event("a")]\ndef apply(s, e):\n    if e["type"] == "a" or s.type == "b":\n        return 1\n',
        'def decide(s, c):\n    return [event("a")]\ndef on(x):\n    return x.get("type") == "a"\ndef apply(s, e):\n    return on(e)\n',
    ],
)
def test_nothing_is_said_of_types_where_the_other_side_computes_them(source: str) -> None:
    assert check(source) == []


def test_a_filter_has_no_warnings() -> None:
    assert check("[1 for x in y] == z", "filter") == []


def test_the_caret_stands_under_the_place_in_long_lines_and_after_tabs() -> None:
    long = "[" + "1, " * 100 + "'é', &]"
    head, line, caret = check(long, "expression")[0].render("x").split("\n")
    assert head.startswith("x:1:")
    assert len(line) < 140
    assert line[caret.index("^")] == "&"
    _, line, caret = check("a\t\t&& b", "expression")[0].render("x").split("\n")
    assert caret.endswith("\t\t^")
    assert caret.index("^") == line.index("&")


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in check("'\x1b[31m'", "expression")[0].render("x")


def test_every_mistake_is_found_in_one_go() -> None:
    source = (
        "A = B\n"
        "def f(a, a = 1):\n    break\n    return unknown\n"
        "def g():\n    return g() + len(k = 1) + x.nope()\n"
        "def decide(s):\n    return {1, 2}\n"
    )
    with pytest.raises(CompileError) as caught:
        compile_source(source)
    assert [(record.line, record.column, record.code) for record in caught.value.records] == [
        (1, 5, "name"),
        (2, 10, "unsupported"),
        (3, 5, "syntax"),
        (4, 12, "name"),
        (6, 12, "recursion"),
        (6, 22, "unsupported"),
        (6, 31, "name"),
        (6, 33, "name"),
        (7, 5, "unsupported"),
        (8, 12, "unsupported"),
    ]


def test_syntax_mistakes_of_later_functions_are_found_too() -> None:
    source = "def f(x:\n    return 1\n\ndef g():\n    return 1 +\n\ndef h():\n    return 1\n\ndef i():\n    x = 'a\n"
    with pytest.raises(CompileError) as caught:
        compile_source(source)
    assert [(record.line, record.column, record.function) for record in caught.value.records] == [(1, 8, "f"), (5, 15, "g"), (11, 9, "i")]


def test_an_unknown_kind_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="kind is 'query'"):
        compile_source("a", "query")


def test_every_message_has_a_code_and_plain_parameters() -> None:
    for key, text in MESSAGES.items():
        assert key.partition(".")[0] in {"syntax", "name", "recursion", "duplicate", "unsupported", "too_big", "warning"}
        assert re.sub(r"\{\w+\}", "", text).count("{") == 0


def test_sources_compile_in_several_threads_at_once() -> None:
    sources = [f"def f{i}(a):\n    return [x + {i} for x in a]\n" for i in range(8)]
    wanted = [compile_source(source) for source in sources]
    made: dict[int, bytes] = {}

    def work(index: int) -> None:
        for _ in range(5):
            made[index] = compile_source(sources[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(sources))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [made[index] for index in range(len(sources))] == wanted


def test_every_message_that_the_compiler_uses_is_in_the_table_and_every_one_in_the_table_is_used() -> None:
    folder = Path(aggregate.language.__file__).parent
    text = "\n".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    used = set(re.findall(r'"((?:syntax|name|recursion|duplicate|unsupported|too_big|warning)\.\w+)"', text))
    used |= {f"unsupported.{problem}" for problem in ("default", "star")} | {f"duplicate.{kind}" for kind in ("local", "reserved")}
    assert used == set(MESSAGES)
