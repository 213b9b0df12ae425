"""The twins agree on generated programs; and the harness that says so finds planted differences and is not hollow."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate import engine as door

from .cases import Case, case
from .choices import Choices
from .harness import VECTORS, Difference, Harness
from .operations import sources
from .planted import DEFECTS, Copy

CASES = 300
MOST = 12_000
PROGRAM = 8
"""One of so many cases is a program."""
needs_native = pytest.mark.skipif(not door.available("native"), reason="the native engine is not built")


@pytest.fixture(scope="module")
def twins() -> Harness:
    return Harness(door.get("pure"), door.get("native"))


@needs_native
@pytest.mark.parametrize("block", range(4))
def test_twins_agree_on_seeded_programs(twins, block):
    for seed in range(block * CASES, (block + 1) * CASES):
        difference = twins.seeded(seed)
        assert difference is None, f"seed {seed}\n{difference}"


@needs_native
@pytest.mark.parametrize("block", range(4))
def test_twins_agree_on_each_operation(twins, block):
    for index in range(block, len(sources()), 4):
        for seed in range(8):
            difference = twins.operation(index, 1000 * index + seed)
            assert difference is None, f"operation {index}, seed {1000 * index + seed}\n{difference}"


@needs_native
def test_twins_agree_on_the_examples(twins):
    for seed in range(600):
        difference = twins.example(seed)
        assert difference is None, f"seed {seed}\n{difference}"


@needs_native
@settings(max_examples=200, deadline=None)
@given(data=st.binary(min_size=40, max_size=500))
def test_twins_agree_on_programs_of_any_bytes(twins, data):
    difference = twins.check(case(Choices(data)), sweep=False)
    assert difference is None, str(difference)


@needs_native
@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_twins_agree_on_what_was_found_before(twins, path):
    difference = twins.check(Case.parse(path.read_text(encoding="utf-8")))
    assert difference is None, str(difference)


@pytest.mark.parametrize("name", sorted(DEFECTS))
def test_a_planted_difference_is_found(name):
    copy = Copy()
    DEFECTS[name](copy)
    harness = Harness(door.get("pure"), copy.engine)
    assert first_difference(harness) is not None, f"{name} is not found in {MOST} cases"


def first_difference(harness: Harness) -> Difference | None:
    """Operations by themselves, which cost little, and now and then a program."""
    for seed in range(MOST):
        difference = harness.seeded(seed // PROGRAM) if seed % PROGRAM == 0 else harness.operation(seed, seed)
        if difference is not None:
            return difference
    return None


def test_an_unchanged_copy_does_not_differ():
    harness = Harness(door.get("pure"), Copy().engine)
    for seed in range(60):
        assert harness.seeded(seed) is None


def test_cases_are_not_hollow():
    harness = Harness(door.get("pure"), door.get("pure"))
    for seed in range(1600):
        harness.seeded(seed)
    statistics = harness.statistics
    assert statistics.outcomes["rejected"] > 10
    assert statistics.refused < statistics.cases / 20
    assert statistics.outcomes["ok"] > statistics.cases / 5, statistics.outcomes
    for index in range(15 * len(sources())):
        harness.operation(index, index)
    codes = ("type", "key", "index", "value", "frozen", "mutation", "overflow", "div_zero", "filter_type")
    wanted = {f"runtime/{code}" for code in codes}
    wanted |= {"resource/out_of_gas", "contract/bad_input", "contract/bad_output", "rejected"}
    assert wanted <= set(statistics.outcomes), wanted - set(statistics.outcomes)
    assert min(statistics.calls.values()) > 30
    from aggregate.engine.pure.builtins import FUNCTIONS, METHOD_NAMES
    from aggregate.engine.pure.operators import BINARY

    kinds = {f"fn {name}" for name in FUNCTIONS} | {f"method {name}" for name in METHOD_NAMES} | {f"bin {op}" for op in BINARY}
    kinds |= {"lcomp", "mcomp", "map", "list", "slice", "index", "field", "free", "const", "call", "and", "or", "not", "neg", "if"}
    kinds |= {"set", "setfield", "setindex", "augset", "augfield", "augindex", "unpack", "return", "expr"}
    kinds |= {"for", "break", "continue", "pass"}
    assert kinds <= set(statistics.nodes), kinds - set(statistics.nodes)


def test_the_same_choices_make_the_same_case():
    assert case(Choices.seeded(5)) == case(Choices.seeded(5))
    assert Case.parse(case(Choices.seeded(5)).dump()) == case(Choices.seeded(5))
