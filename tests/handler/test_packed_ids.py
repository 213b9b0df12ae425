"""Packed ids beside a dict of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregate.handler import packed_ids

IDS = st.one_of(
    st.binary(min_size=16, max_size=16),
    st.integers(0, 300).map(lambda number: (0x0190B3F0 << 96 | number).to_bytes(16, "big")),  # alike up to their last bytes
    st.binary(min_size=1, max_size=1).map(lambda byte: byte * 16),
)
SEQUENCES = st.one_of(st.integers(1, 2**63 - 1), st.integers(1_000_000, 1_000_400))


@given(st.lists(st.tuples(IDS, SEQUENCES), max_size=40), st.lists(IDS, max_size=10), st.data())
def test_they_are_what_a_dict_of_them_is(pairs: list[tuple[bytes, int]], others: list[bytes], data: st.DataObject) -> None:
    model: dict[bytes, int] = {}
    packed = b""
    for raw, sequence in pairs:
        packed = packed_ids.insert(packed, raw, sequence)
        model[raw] = sequence
        assert packed_ids.unpack(packed) == sorted(model.items())
    assert packed_ids.unpack(packed_ids.pack(pairs)) == sorted(model.items())
    cut = data.draw(st.integers(0, len(pairs)))
    assert packed_ids.unpack(packed_ids.merge(packed_ids.pack(pairs[:cut]), pairs[cut:])) == sorted(model.items())
    assert packed_ids.count(packed) == len(model)
    assert [packed_ids.find(packed, raw) for raw in (*model, *others)] == [model.get(raw) for raw in (*model, *others)]
    assert [packed_ids.id_at(packed, index) for index in range(len(model))] == sorted(model)
    if model:
        number = data.draw(st.integers(0, len(model) - 1))
        assert packed_ids.unpack(packed_ids.without_first(packed, number)) == sorted(model.items())[number:]


def test_many_that_follow_are_put_behind_in_one_step() -> None:
    first, more = (
        [((i + 1).to_bytes(16, "big"), 1000 + i) for i in range(40)],
        [((i + 1).to_bytes(16, "big"), 1000 + i) for i in range(40, 200)],
    )
    packed = packed_ids.pack(first)
    assert packed_ids.unpack(packed_ids.merge(packed, more[::-1])) == first + more
    assert packed_ids.unpack(packed_ids.merge(packed, more[:50])) == first + more[:50]


def test_the_ids_of_one_afternoon_take_seventeen_bytes_each() -> None:
    pairs = [((0x0190_B3F0_0000 + 200_000 * i << 80 | i * 7919).to_bytes(16, "big"), 5_000_000_000 + 40_000 * i) for i in range(64)]
    assert len(packed_ids.pack(pairs)) < 64 * 17 + 16
