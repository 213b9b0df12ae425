"""Kept ids and the floor, beside a model that keeps everything."""

from __future__ import annotations

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate.handler.known_ids import KEPT, MOST, KnownIds
from aggregate.types import new_uuid7


def v7(milliseconds: int, tail: int = 0) -> str:
    return str(uuid.UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | tail))


def v4(number: int) -> str:
    return str(uuid.UUID(int=(4 << 76) | (2 << 62) | number))


def test_an_id_above_the_floor_that_is_not_kept_was_never_seen() -> None:
    known = KnownIds().with_ids((v7(1_000_000 + 1000 * i), i + 1) for i in range(500))
    assert not known.may_be_in_log(v7(9_000_000))
    assert known.may_be_in_log(v7(1_000_000, 5))
    assert known.sequence_of(v7(1_000_000 + 1000 * 499)) == 500


def test_nothing_is_in_the_log_of_an_aggregate_without_commits() -> None:
    assert not KnownIds().may_be_in_log(new_uuid7())
    assert not KnownIds().may_be_in_log(v4(7))


def test_recent_ids_of_a_busy_aggregate_are_kept_beyond_the_usual_count() -> None:
    known = KnownIds().with_ids((v7(5_000_000, i), i + 1) for i in range(1000))
    assert known.sequence_of(v7(5_000_000, 0)) == 1
    assert len(known.pairs()) == 1000
    assert len(known.greatest().pairs()) == KEPT
    assert known.greatest().may_be_in_log(v7(5_000_000, 0))


def test_the_busiest_aggregate_keeps_a_bounded_number() -> None:
    known = KnownIds().with_ids((v7(5_000_000, i), i + 1) for i in range(MOST + 100))
    assert len(known.pairs()) == MOST
    assert known.may_be_in_log(v7(5_000_000, 99))
    assert not known.may_be_in_log(v7(5_000_000, 10**6))


def test_ids_of_another_version_do_not_move_the_floor() -> None:
    known = KnownIds().with_ids((v4(i), i + 1) for i in range(KEPT))
    assert not known.may_be_in_log(v4(10**6))
    more = known.with_ids([(v4(10**7), 99)])
    assert more.sequence_of(v4(0)) is None
    assert more.may_be_in_log(v4(0))
    assert not more.may_be_in_log(v7(1))


def test_a_decision_made_again_replaces_the_place_of_the_first() -> None:
    known = KnownIds().with_ids([(v7(1), 1), (v7(2), 2), (v7(1), 9)])
    assert known.sequence_of(v7(1)) == 9
    assert [sequence for _, sequence in known.pairs()] == [9, 2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40_000), st.booleans()), max_size=300))
def test_no_seen_id_is_ever_called_new(seen: list[tuple[int, bool]]) -> None:
    known = KnownIds()
    model: dict[str, int] = {}
    for sequence, (number, is_v7) in enumerate(seen, 1):
        name = v7(1_000_000 + number) if is_v7 else v4(number)
        known = known.with_ids([(name, sequence)])
        model[name] = sequence
    for name, sequence in model.items():
        found = known.sequence_of(name)
        assert found == sequence or (found is None and known.may_be_in_log(name))
    again = KnownIds.of_pairs(known.pairs(), known.floor_text, known.others_dropped)
    assert (again.pairs(), again.floor, again.others_dropped) == (known.pairs(), known.floor, known.others_dropped)
