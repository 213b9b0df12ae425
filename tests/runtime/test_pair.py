"""Decide and apply in two sources: to a caller the same as in one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregate.config import AggregateManifest
from aggregate.engine import available, get
from aggregate.engine.interface import Decision, FoldExpectation
from aggregate.runtime import RuntimeExecutor, TypeProgram
from aggregate.runtime.pair import pair_digest, split_events

DECIDE = """
def decide(state, command):
    if command.type == "reject":
        reject("no", code = "never", a = 1)
    if command.type == "fail":
        return [1 / 0]
    if command.type == "bad":
        return [{"no": "type"}]
    return [event("e", n = n, text = command.get("text")) for n in range(command.get("n", 1))]
"""
APPLY = """
def apply(state, event):
    if event.n == 3:
        return event.missing
    return (state or []) + [event.n]
"""
APPLY_META = """
def apply(state, event, meta):
    if event.n == 3:
        return event.missing
    return (state or []) + [meta | {"n": event.n}]
"""
DECIDE_CTX = """
def decide(state, command, ctx):
    return [event("e", n = n, by = ctx.command_id) for n in range(command.n)]
"""
CTX = {
    "tenant_id": "a",
    "aggregate_type": "Account",
    "aggregate_id": "0190b3f0-7c1e-7cc3-a5a0-0123456789ab",
    "version": 7,
    "command_id": "0190b3f0-7c1e-7cc3-a5a0-0123456789ac",
    "time": "2026-01-31T12:00:00.000Z",
    "metadata": {},
}


def both(executor: RuntimeExecutor, decide: str, apply: str, **options: int) -> tuple[TypeProgram, TypeProgram]:
    """The pair, and one source with both functions (positions in `apply` differ by the lines of `decide`)."""
    programs = executor.load(AggregateManifest.of_sources({"Pair": (decide, apply), "One": decide + apply}, **options))
    pair, one = programs
    return pair, one


def outcome(decision: Decision, lines: int = 0) -> dict[str, object]:
    error = None if decision.error is None else json.loads(decision.error)
    if error is not None and decision.phase == "apply" and error["line"] is not None:
        error["line"] += lines
    return {
        "events": decision.events,
        "types": decision.types,
        "state": None if decision.state is None else decision.state.json(),
        "gas": decision.gas,
        "rejection": decision.rejection,
        "error": error,
        "members": None if error is None else list(error),
        "phase": decision.phase,
    }


def same(executor: RuntimeExecutor, decide: str, apply: str, command: object, ctx: object = None, **options: int) -> dict[str, object]:
    pair, one = both(executor, decide, apply, **options)
    text = json.dumps(command).encode()
    context = None if ctx is None else json.dumps(ctx).encode()
    found = outcome(pair.execute(pair.initial_state, text, context), decide.count("\n"))
    assert found == outcome(one.execute(one.initial_state, text, context))
    return found


def test_accepts_with_the_same_events_state_and_gas(executor: RuntimeExecutor) -> None:
    found = same(executor, DECIDE, APPLY, {"type": "go", "n": 3, "text": 'a "quoted", [list] } \\ ä \u0001'})
    assert found["state"] == b"[0,1,2]"
    assert found["types"] == ["e", "e", "e"]
    assert same(executor, DECIDE, APPLY, {"type": "go", "n": 0})["state"] == b"null"


@pytest.mark.parametrize(
    ("command", "phase"),
    [
        ({"type": "reject"}, "decide"),
        ({"type": "fail"}, "decide"),
        ({"type": "bad"}, "decide"),
        ({"no": "type"}, "decide"),
        ({"type": "go", "n": 5}, "apply"),
    ],
)
def test_refuses_with_the_same_record_and_gas(executor: RuntimeExecutor, command: object, phase: str) -> None:
    found = same(executor, DECIDE, APPLY, command)
    assert found["phase"] == phase
    assert found["events"] == []
    assert found["state"] is None
    assert (found["error"] is None) == (command == {"type": "reject"})


@pytest.mark.parametrize("limits", [{"gas_decide": 20}, {"gas_apply": 5}, {"gas_decide": 40}])
def test_stops_at_the_same_limit(executor: RuntimeExecutor, limits: dict[str, int]) -> None:
    found = same(executor, DECIDE, APPLY, {"type": "go", "n": 3}, **limits)
    assert found["error"] is not None
    assert found["error"]["code"] == "out_of_gas"  # type: ignore[index]


@pytest.mark.parametrize("decide", [DECIDE, DECIDE_CTX])
@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_each_event_has_its_own_meta(executor: RuntimeExecutor, decide: str, count: int) -> None:
    found = same(executor, decide, APPLY_META, {"type": "go", "n": count}, CTX)
    if 0 < count < 4:
        metas = json.loads(found["state"])  # type: ignore[arg-type]
        assert [meta["version"] for meta in metas] == list(range(8, 8 + count))
        assert len({meta["event_id"] for meta in metas}) == count


@pytest.mark.parametrize("lacking", ["version", "time", "command_id", "tenant_id"])
def test_meta_lacks_what_ctx_lacks(executor: RuntimeExecutor, lacking: str) -> None:
    same(executor, DECIDE, APPLY_META, {"type": "go", "n": 2}, {name: value for name, value in CTX.items() if name != lacking})


@pytest.mark.parametrize("wrong", [{"version": True}, {"version": "7"}, {"time": "yesterday"}, {"time": 7}, {"tenant_id": None}])
def test_meta_leaves_out_what_is_of_another_type(executor: RuntimeExecutor, wrong: dict[str, object]) -> None:
    same(executor, DECIDE, APPLY_META, {"type": "go", "n": 2}, {**CTX, **wrong})


def test_a_missing_ctx_is_an_error_of_whoever_wants_it(executor: RuntimeExecutor) -> None:
    pair, _ = both(executor, DECIDE_CTX, APPLY)
    assert pair.needs_ctx
    decision = pair.execute(pair.initial_state, b'{"type":"go","n":1}')
    assert (decision.phase, json.loads(decision.error or b"")["code"]) == ("decide", "bad_input")
    pair, _ = both(executor, DECIDE, APPLY_META)
    assert pair.needs_ctx
    decision = pair.execute(pair.initial_state, b'{"type":"go","n":1}')
    assert (decision.phase, json.loads(decision.error or b"")["code"]) == ("apply", "bad_input")


def test_folds_as_the_one_source_does(executor: RuntimeExecutor) -> None:
    pair, one = both(executor, DECIDE, APPLY)
    events = [b'{"type":"e","n":1}', b'{"type":"e","n":2}']
    assert pair.fold(pair.initial_state, events).state.json() == one.fold(one.initial_state, events).state.json() == b"[1,2]"
    expect = FoldExpectation("a", "Pair", CTX["aggregate_id"], 0, 1000)  # type: ignore[arg-type]
    assert pair.program.fold_commits(pair.initial_state, [b"{}"], expect).error is not None
    assert pair.program.decide(b"null", b'{"type":"go"}', None, 1000).value == b'[{"n":0,"text":null,"type":"e"}]'
    assert pair.program.apply(b"[]", b'{"type":"e","n":1}', None, 1000).value == b"[1]"
    with pytest.raises(ValueError, match="program"):
        pair.program.evaluate(b"null", None, 1000)
    with pytest.raises(ValueError, match="program"):
        pair.program.matches([b"null"], None, 1000, 1000)


def test_the_digest_is_of_both(executor: RuntimeExecutor) -> None:
    pair, one = both(executor, DECIDE, APPLY)
    assert pair.digest == pair_digest(executor.program(DECIDE).digest, executor.program(APPLY).digest)
    other, _ = both(executor, DECIDE, APPLY_META)
    assert len({pair.digest, one.digest, other.digest, executor.program(DECIDE).digest}) == 4
    assert len(pair.digest) == 64
    assert (pair.program.kind, pair.program.has_decide, pair.program.has_apply) == ("program", True, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=4))
def test_a_list_of_events_is_cut_at_their_bytes(maps: list[dict[str, object]]) -> None:
    texts = [
        json.dumps({**each, "type": f"t{index}"}, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "replace")
        for index, each in enumerate(maps)
    ]
    assert split_events(b"[" + b",".join(texts) + b"]") == (texts, [f"t{index}" for index in range(len(maps))])


@pytest.mark.skipif(not available("native"), reason="the native engine is not built; pip install . with Rust, or make native")
def test_both_engines_agree_on_a_pair() -> None:
    command = {"type": "go", "n": 3, "text": "x"}
    found = [same(RuntimeExecutor(get(name)), DECIDE, APPLY_META, command, CTX) for name in ("pure", "native")]
    assert found[0] == found[1]
