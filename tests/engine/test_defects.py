"""A defect of the engine stays inside of it: `internal/engine_bug`, and the next call works."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from aggregate.engine import Engine
from aggregate.engine.interface import FoldExpectation

from .bank import ID
from .support import PLENTY, Programs

SOURCE = "def decide(state, command):\n    return [event('a', n = len('abc'))]\ndef apply(state, event):\n    return [len('abc')]\n"


@contextlib.contextmanager
def broken(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While this holds, every run of a program hits a defect."""
    if engine.name == "native":
        from aggregate.engine._native import _panic_for_tests

        _panic_for_tests(True)
        try:
            yield
        finally:
            _panic_for_tests(False)
    else:
        from aggregate.engine.pure.gas import Call

        def fail(self: Call, amount: int, at: object) -> None:
            raise ZeroDivisionError("a defect")

        with monkeypatch.context() as patch:
            patch.setattr(Call, "charge", fail)
            yield


@pytest.mark.filterwarnings("ignore")
def test_a_defect_is_an_outcome_and_the_engine_lives_on(engine, monkeypatch, capfd):
    run = Programs(engine)
    program = run.load(SOURCE)
    query = run.load("len('abc') == 3", "filter")
    state = engine.state(b"[1]")
    with broken(engine, monkeypatch):
        results = [
            program.decide(state, b'{"type":"a"}', None, PLENTY),
            program.apply(state, b'{"type":"a"}', None, PLENTY),
            program.execute(state, b'{"type":"a"}', None, PLENTY, PLENTY),
            program.fold(state, [b'{"type":"a"}'], PLENTY),
            query.evaluate(b"null", None, PLENTY),
        ]
        rows = query.matches([b"null", b"1"], None, PLENTY, PLENTY)
        told = program.fold_commits(state, [_message()], FoldExpectation("t", "A", ID, 0, PLENTY))
    for error in (*(result.error for result in results), rows.first_error or rows.error, told.error):
        record = json.loads(error)
        assert (record["kind"], record["code"], record["line"]) == ("internal", "engine_bug", None)
        assert record["message"] == "the engine failed; this is a defect of the engine, not of the program"
    assert results[3].state.json() == b"[1]"
    assert program.fold(state, [b'{"type":"a"}'], PLENTY).state.json() == b"[3]"
    assert query.evaluate(b"null", None, PLENTY).value == b"true"
    capfd.readouterr()


def _message() -> bytes:
    commit = {"command_id": "c", "first_version": 1, "time": "", "events": [{"event_id": "e", "payload": {"type": "a"}}]}
    return json.dumps({"v": 1, "tenant_id": "t", "aggregate_type": "A", "aggregate_id": ID, "generation": 0, "commits": [commit]}).encode()
