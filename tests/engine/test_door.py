"""The switch: which engine `get` gives, and what it says when it cannot."""

from __future__ import annotations

import gc
import threading

import pytest

from aggregate import engine as door
from aggregate.engine import interface
from aggregate.errors import ConfigError

from .support import PLENTY, ir

native_built = pytest.mark.skipif(not door.available("native"), reason="the native engine is not built")


@pytest.fixture(autouse=True)
def no_choice(monkeypatch):
    monkeypatch.delenv(door.VARIABLE, raising=False)


def test_the_pure_engine_can_always_be_had():
    assert door.available("pure")
    assert door.get("pure").name == "pure"
    assert door.get("pure") is door.get("pure")


@native_built
def test_the_native_engine_is_the_default_where_it_is_built():
    assert door.get().name == door.get("auto").name == door.get("native").name == "native"


@pytest.mark.parametrize("name", ["pure", "auto"])
def test_the_variable_decides_where_no_name_is_given(monkeypatch, name):
    monkeypatch.setenv(door.VARIABLE, name)
    assert door.get().name == door.get(name).name


def test_auto_is_pure_where_nothing_is_built(monkeypatch):
    monkeypatch.setattr(door, "find_spec", lambda name: None)
    assert not door.available("native")
    assert door.get("auto").name == "pure"


def test_a_demanded_native_engine_that_is_missing_is_an_error(monkeypatch):
    monkeypatch.setattr(door, "find_spec", lambda name: None)
    door._engine.cache_clear()
    monkeypatch.setenv(door.VARIABLE, "native")
    with pytest.raises(ConfigError, match=r"AGGREGATE_ENGINE: the native engine is asked for, but aggregate\.engine\._native and .*_keys"):
        door.get()


def test_an_unknown_engine_is_an_error(monkeypatch):
    monkeypatch.setenv(door.VARIABLE, "rusty")
    with pytest.raises(ConfigError, match="'rusty' is no engine; one of auto, native, pure"):
        door.get()


def test_both_twins_have_the_members_of_the_interface(engine):
    program = engine.load(ir("def decide(state, command):\n    return []\ndef apply(state, event):\n    return state\n"))
    state = engine.state(None)
    pairs = [
        (engine, interface.Engine),
        (program, interface.Program),
        (state, interface.State),
        (program.execute(state, b'{"type":"a"}', None, PLENTY, PLENTY), interface.Decision),
        (program.decide(state, b'{"type":"a"}', None, PLENTY), interface.Evaluation),
        (program.fold(state, [], PLENTY), interface.Fold),
        (program.fold_commits(state, [], interface.FoldExpectation("", "A", "x", 0, 1)), interface.CommitFold),
        (engine.load(ir("True", "filter")).matches([], None, 1, 1), interface.Matches),
    ]
    for made, protocol in pairs:
        members = {name for base in protocol.__mro__ for name in vars(base) if not name.startswith("_")} | set(protocol.__annotations__)
        assert members <= set(dir(made)), (protocol, members - set(dir(made)))


def test_a_program_may_be_used_by_several_threads(engine):
    source = "def apply(state, event):\n    x = dict(state)\n    for i in range(20):\n        x[str(i)] = i\n    return x\n"
    program = engine.load(ir(source))
    state = engine.state(b'{"a":1}')
    expected = program.fold(state, [b'{"type":"a"}'] * 50, PLENTY)
    found: list[tuple[bytes, int]] = []

    def work() -> None:
        folded = program.fold(state, [b'{"type":"a"}'] * 50, PLENTY)
        found.append((folded.state.json(), folded.gas))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(expected.state.json(), expected.gas)] * 6


def test_loaded_programs_are_kept_within_bounds(engine):
    programs = [engine.load(ir(f"{n}", "expression")) for n in range(700)]
    assert [program.evaluate(b"null", None, PLENTY).value for program in programs[::99]] == [b"%d" % n for n in range(0, 700, 99)]
    del programs
    gc.collect()
    assert engine.load(ir("5", "expression")).evaluate(b"null", None, PLENTY).value == b"5"
