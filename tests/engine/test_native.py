"""What is the compiled engine's alone: no panic leaves it, folds let other threads run, it is the default where it is built."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from aggregate import engine as door
from aggregate.language import compile as compile_source

pytestmark = pytest.mark.skipif(not door.available("native"), reason="not built")

PROGRAM = """
def decide(state, command):
    return [event("added", n = command.n)]

def apply(state, event):
    return {"n": event.n + (0 if state == None else state.n)}
"""
COMMAND = b'{"n":1,"type":"add"}'
EVENT = b'{"n":1,"type":"added"}'


@pytest.fixture
def native() -> Any:
    return door.get("native")


@pytest.fixture
def panicking() -> Iterator[None]:
    _native = import_module("aggregate.engine._native")

    _native._panic_for_tests(True)
    yield
    _native._panic_for_tests(False)


def is_bug(record: bytes | None) -> bool:
    assert record is not None
    members = json.loads(record)
    return (members["kind"], members["code"], members["line"]) == ("internal", "engine_bug", None)


@pytest.mark.usefixtures("panicking")
def test_a_panic_becomes_an_error_record(native: Any) -> None:
    program = native.load(compile_source(PROGRAM))
    state = native.state(None)
    assert is_bug(program.execute(state, COMMAND, None, 1000, 1000).error)
    assert is_bug(program.decide(state, COMMAND, None, 1000).error)
    assert is_bug(program.apply(state, EVENT, None, 1000).error)
    fold = program.fold(state, [EVENT], 1000)
    assert is_bug(fold.error)
    assert fold.state.json() == b"null"
    row = native.load(compile_source("True", "filter"))
    assert is_bug(row.evaluate(state, None, 1000).error)
    assert is_bug(row.matches([state], None, 1000, 1000).first_error)


def test_the_engine_works_on_after_a_panic(native: Any, panicking: None) -> None:
    _native = import_module("aggregate.engine._native")

    program = native.load(compile_source(PROGRAM))
    state = native.state(b'{"n":1}')
    assert is_bug(program.execute(state, COMMAND, None, 1000, 1000).error)
    _native._panic_for_tests(False)
    assert program.execute(state, COMMAND, None, 1000, 1000).state.json() == b'{"n":2}'


def test_a_state_of_the_other_engine_is_refused(native: Any) -> None:
    program = native.load(compile_source(PROGRAM))
    with pytest.raises(TypeError):
        program.execute(door.get("pure").state(None), COMMAND, None, 1000, 1000)


def test_other_threads_run_while_events_are_folded(native: Any) -> None:
    program = native.load(compile_source("def apply(state, event):\n    return sum(range(20000))\n"))
    state, done = native.state(None), threading.Event()
    ticks = 0

    def fold() -> None:
        program.fold(state, [EVENT] * 1000, 100_000)
        done.set()

    thread = threading.Thread(target=fold)
    thread.start()
    while not done.is_set():
        ticks += 1
    thread.join()
    assert ticks > 1000, "the lock of the interpreter was kept"


def test_threads_share_a_program_and_a_state(native: Any) -> None:
    program = native.load(compile_source(PROGRAM))
    state = native.state(b'{"n":5}')
    results: list[bytes] = []

    def fold() -> None:
        results.extend(program.fold(state, [EVENT] * 100, 1000).state.json() for _ in range(50))

    threads = [threading.Thread(target=fold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [b'{"n":105}'] * 200


def test_equal_ir_is_one_program(native: Any) -> None:
    ir = compile_source(PROGRAM)
    assert native.load(ir) is native.load(bytes(bytearray(ir)))


def test_the_compiled_engine_is_the_default_where_it_is_built() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "AGGREGATE_ENGINE"}
    text = "from aggregate import engine; print(engine.get().name)"
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "native"
