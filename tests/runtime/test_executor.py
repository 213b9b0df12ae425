"""The executor: loading a manifest, the cache, limits, what is raised."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from aggregate.config import AggregateManifest
from aggregate.errors import ApplyError, CompileError, ConfigError, DecideError, Rejected, ValidationError
from aggregate.runtime import PairProgram, RuntimeExecutor
from aggregate.types import AggregateId, AggregateType, Document, TenantId

COUNTER = """
def decide(state, command):
    if command.type == "fail":
        return [event("x")][5]
    if command.type == "reject":
        reject("no", code = "never", why = [1.50])
    if command.type == "nothing":
        return []
    return [event("counted", by = command.by)]

def apply(state, event):
    return {"count": (0 if state == None else state.count) + event.by}
"""
ACCOUNT = AggregateType("Account")


def load(executor: RuntimeExecutor, sources: dict[str, str | tuple[str, str]], **options: object):  # type: ignore[no-untyped-def]
    return executor.load(AggregateManifest.of_sources(sources, **options))


def test_a_type_decides_and_applies(executor: RuntimeExecutor) -> None:
    program = load(executor, {"Account": COUNTER}).get(ACCOUNT)
    decision = program.execute(program.initial_state, b'{"type":"count","by":2}')
    assert (decision.events, decision.types) == ([b'{"by":2,"type":"counted"}'], ["counted"])
    assert decision.state is not None
    assert decision.state.json() == b'{"count":2}'
    fold = program.fold(decision.state, decision.events * 3)
    assert (fold.state.json(), fold.count, fold.error) == (b'{"count":8}', 3, None)


def test_stored_commits_are_folded_under_what_they_must_say(executor: RuntimeExecutor) -> None:
    program = load(executor, {"Account": COUNTER}).get(ACCOUNT)
    aggregate_id = AggregateId.new_v7()
    body = (
        f'{{"v":1,"tenant_id":"a","aggregate_type":"Account","aggregate_id":"{aggregate_id}","program":"","generation":4,"commits":[{{'
        f'"command_id":"{aggregate_id}","first_version":3,"time":"2026-01-31T12:00:00.000Z","events":['
        f'{{"event_id":"{aggregate_id}","payload":{{"type":"counted","by":5}}}}]}}]}}'
    ).encode()
    fold = program.fold_commits(program.initial_state, [body], TenantId("a"), aggregate_id, 2)
    assert (fold.error, fold.state.json(), fold.version, fold.generation) == (None, b'{"count":5}', 3, 4)
    other = program.fold_commits(program.initial_state, [body], TenantId("b"), aggregate_id, 2)
    assert other.error is not None
    gap = program.fold_commits(program.initial_state, [body], TenantId("a"), aggregate_id, 1)
    assert gap.error is not None


def test_the_initial_state_is_the_manifest_s(executor: RuntimeExecutor) -> None:
    program = load(executor, {"Account": COUNTER}, initial=Document.of({"count": 10})).get(ACCOUNT)
    assert program.initial_state.json() == b'{"count":10}'
    decision = program.execute(program.initial_state, b'{"type":"count","by":1}')
    assert decision.state is not None
    assert decision.state.json() == b'{"count":11}'
    assert program.state(b'{"count": 1.0}').json() == b'{"count":1}'


def test_all_mistakes_of_all_programs_are_reported_at_once(executor: RuntimeExecutor, tmp_path: Path) -> None:
    for name, text in {
        "one.agl": "def decide(state, command):\n    return nothing\n\ndef apply(state, event):\n    return stat\n",
        "two.agl": "def decide(state, command)\n    return []\n",
        "three.agl": "def decide(state, command):\n    return []\n",
        "four.agl": COUNTER,
    }.items():
        (tmp_path / name).write_text(text)
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(
        "aggregates:\n  One: {program: one.agl}\n  Two: {program: two.agl}\n  Three: {program: three.agl}\n"
        "  Four: {program: four.agl}\n  Five: {decide: three.agl, apply: three.agl}\n"
    )
    with pytest.raises(ConfigError) as caught:
        executor.load(AggregateManifest.load(manifest))
    places = [mistake.place for mistake in caught.value.mistakes]
    assert places == [
        f"{tmp_path}/one.agl:2:12",
        f"{tmp_path}/one.agl:5:12",
        f"{tmp_path}/two.agl:1:27",
        f"{tmp_path}/three.agl",
        f"{tmp_path}/three.agl",
    ]
    assert str(caught.value.mistakes[0]).startswith(f"{tmp_path}/one.agl:2:12: name: ")
    assert caught.value.mistakes[3].message == "has no function apply"


def test_an_initial_state_outside_the_language_is_a_mistake(executor: RuntimeExecutor) -> None:
    deep: object = None
    for _ in range(70):
        deep = [deep]
    with pytest.raises(ConfigError, match="Account: initial: "):
        load(executor, {"Account": COUNTER}, initial=Document.of(deep))


def test_limits_come_from_the_manifest_else_from_the_executor(executor: RuntimeExecutor) -> None:
    strict = RuntimeExecutor(executor.engine, gas_decide=11, gas_apply=12, snapshot_threshold=13, snapshot_bytes=14, snapshot_age=15.0)
    own = load(
        strict, {"Account": COUNTER}, gas_decide=1000, gas_apply=2000, snapshot_threshold=3, snapshot_bytes=0, snapshot_age=0.0
    ).only()
    assert (own.gas_decide, own.gas_apply, own.snapshot_threshold, own.snapshot_bytes, own.snapshot_age) == (1000, 2000, 3, 0, 0)
    default = load(strict, {"Account": COUNTER}).only()
    assert (default.gas_decide, default.gas_apply, default.snapshot_threshold) == (11, 12, 13)
    assert (default.snapshot_bytes, default.snapshot_age) == (14, 15)
    decision = default.execute(default.initial_state, b'{"type":"count","by":2}')
    assert decision.error is not None
    assert b'"out_of_gas"' in decision.error


def test_a_lower_limit_does_not_make_history_unreadable(executor: RuntimeExecutor) -> None:
    program = load(executor, {"Account": COUNTER}, gas_apply=1).only()
    assert program.fold(program.initial_state, [b'{"type":"counted","by":2}']).error is None


def test_values_are_exact(executor: RuntimeExecutor) -> None:
    [event] = executor.execute_decide(None, {"type": "count", "by": Decimal("0.10")}, COUNTER)
    assert event["by"] == Decimal("0.1")
    assert executor.execute_apply({"count": 2**70}, {"type": "counted", "by": 1}, COUNTER) == {"count": 2**70 + 1}
    assert executor.execute_decide(None, {"type": "nothing"}, COUNTER) == []


def test_what_a_program_says_is_raised_as_its_kind(executor: RuntimeExecutor) -> None:
    with pytest.raises(Rejected) as rejected:
        executor.execute_decide(None, {"type": "reject"}, COUNTER)
    assert (rejected.value.reason, rejected.value.rejection_details) == ("never", b'{"why":[1.5]}')
    assert rejected.value.record.gas_used > 0
    with pytest.raises(DecideError) as failed:
        executor.execute_decide(None, {"type": "fail"}, COUNTER)
    assert not isinstance(failed.value, Rejected)
    assert (failed.value.reason, failed.value.record.line, failed.value.record.function) == ("runtime/index", 4, "decide")
    with pytest.raises(ApplyError) as poisoned:
        executor.execute_apply({"count": "many"}, {"type": "counted", "by": 1}, COUNTER)
    assert poisoned.value.reason == "runtime/type"
    with pytest.raises(DecideError) as untyped:
        executor.execute_decide(None, {"by": 1}, COUNTER)
    assert untyped.value.reason == "contract/bad_input"
    with pytest.raises(CompileError) as broken:
        executor.execute_decide(None, {"type": "x"}, "def decide(state, command):\n    return )\n")
    assert (broken.value.record.line, broken.value.record.column) == (2, 12)
    with pytest.raises(ValidationError):
        executor.execute_decide(object(), {"type": "x"}, COUNTER)


def test_a_loaded_program_runs_as_its_source_does(executor: RuntimeExecutor) -> None:
    program = load(executor, {"Account": COUNTER}).only()
    for runnable in (COUNTER, program, program.program):
        assert executor.execute_apply(None, {"type": "counted", "by": 1}, runnable) == {"count": 1}


def test_the_cache_is_bounded_and_forgets_the_oldest(executor: RuntimeExecutor) -> None:
    small = RuntimeExecutor(executor.engine, cached=2)
    sources = [f"x = {number}\n" for number in range(3)]
    for source in sources:
        small.program(source)
    assert len(small._programs) == 2
    small.program(sources[1])
    small.program(sources[0])
    assert [small.program(source).digest for source in sources] == [executor.program(source).digest for source in sources]


def test_unknown_and_unnamed_types_are_refused(executor: RuntimeExecutor) -> None:
    programs = load(executor, {"Account": COUNTER, "Order": COUNTER})
    assert len(programs) == 2
    with pytest.raises(ValidationError, match="unknown aggregate type 'Cart'; known are Account, Order"):
        programs.get(AggregateType("Cart"))
    with pytest.raises(ValidationError, match="must be named"):
        programs.only()


def test_generations_are_told_later(executor: RuntimeExecutor) -> None:
    programs = load(executor, {"Account": COUNTER, "Order": COUNTER})
    numbered = programs.with_generations({ACCOUNT: 3})
    assert [each.generation for each in numbered] == [3, 0]
    assert [each.generation for each in programs] == [0, 0]
    assert numbered.get(ACCOUNT).digest == programs.get(ACCOUNT).digest


def test_what_is_kept_with_the_log_loads_to_the_same_program(executor: RuntimeExecutor) -> None:
    one = load(executor, {"Account": COUNTER}).only()
    two = load(executor, {"Account": (COUNTER, COUNTER)}).only()
    assert one.digest != two.digest
    assert executor.load_stored(one.source).digest == one.digest
    stored = executor.load_stored(two.source)
    assert isinstance(stored, PairProgram)
    assert stored.digest == two.digest
