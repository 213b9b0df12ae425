"""Packs of rows: both twins, against a dict; their bytes; what is no pack; scans against `matches`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate.engine import get
from aggregate.engine.pure import order_key
from aggregate.engine.pure import packs as pure
from aggregate.types.json import canonical
from tests.engine.support import PLENTY, ir
from tests.query.strategies import documents

try:
    _native: ModuleType | None = import_module("aggregate.engine._native")
except ImportError:
    _native = None
needs_native = pytest.mark.skipif(_native is None, reason="not built")
native: Any = _native and SimpleNamespace(find=_native.pack_find, put=_native.pack_put, rows=_native.pack_rows, scan=_native.pack_scan)
TWINS = [pytest.param(pure, id="pure"), pytest.param(native, id="native", marks=needs_native)]
ENGINES = ["pure", pytest.param("native", marks=needs_native)]

IDS = st.integers(0, 40).map(lambda number: number.to_bytes(16, "big")) | st.binary(min_size=16, max_size=16)
ROWS = st.binary(max_size=90)
CHOSEN = st.none() | st.sets(st.integers(0, 30))
PUTS = st.lists(st.tuples(IDS, ROWS), min_size=1, max_size=40)
MOST = 300
unhurried = settings(deadline=None)
TIME = b"2026-01-31T12:00:00.000Z"


def packed(twin: Any, puts: list[tuple[bytes, bytes]], most: int = MOST) -> list[bytes]:
    """Packs of rows that were put one after the other, each into the pack that it belongs to."""
    made: list[tuple[bytes, bytes]] = []
    for name, row in puts:
        at = next((at for at, (bound, _) in enumerate(made) if name <= bound), len(made) - 1)
        made[max(at, 0) : at + 1] = twin.put(made[at][1] if made else b"", name, row, most)
    return [pack for _, pack in made]


def stored(state: Any, flags: int = pure.VISIBLE, version: int = 1) -> bytes:
    """A row of a state; where it is shaped, the state is something else."""
    head, text = pure.ROW_HEAD.pack(flags, version, 7, TIME), canonical(state)
    return b"".join((head, pure.SIZE.pack(len(text)), text, b'{"hidden":1}')) if flags & pure.SHAPED else head + text


@pytest.mark.parametrize("twin", TWINS)
def test_a_pack_is_laid_out_as_it_is_written_down(twin: Any) -> None:
    ((last, pack),) = twin.put(b"", b"b" * 16, b"second", MOST)
    ((last, pack),) = twin.put(pack, b"a" * 16, b"first", MOST)
    assert last == b"b" * 16
    assert pack == b"\x01\x00\x02" + b"a" * 16 + b"b" * 16 + b"\x00\x00\x00\x05" + b"\x00\x00\x00\x0b" + b"firstsecond"


@pytest.mark.parametrize("twin", TWINS)
@unhurried
@given(puts=PUTS)
def test_packs_hold_what_was_put(twin: Any, puts: list[tuple[bytes, bytes]]) -> None:
    packs = packed(twin, puts)
    rows = [row for pack in packs for row in twin.rows(pack)]
    assert rows == sorted(dict(puts).items())
    assert all(len(pack) <= MOST or len(twin.rows(pack)) == 1 for pack in packs)
    for pack in packs:
        within = dict(twin.rows(pack))
        assert all(twin.find(pack, name) == within.get(name) for name, _ in puts)


@pytest.mark.parametrize("twin", TWINS)
def test_ids_that_ascend_fill_packs_and_a_large_row_has_its_own(twin: Any) -> None:
    ascending = [(number.to_bytes(16, "big"), b"x" * 30) for number in range(60)]
    packs = packed(twin, ascending)
    assert [len(twin.rows(pack)) for pack in packs] == [5] * 12
    large = packed(twin, [*ascending[:5], (ascending[2][0], b"x" * 1000)])
    assert [len(twin.rows(pack)) for pack in large] == [2, 1, 2]


@needs_native
@unhurried
@given(puts=PUTS, most=st.integers(1, 600))
def test_twins_make_the_same_packs(puts: list[tuple[bytes, bytes]], most: int) -> None:
    assert packed(native, puts, most) == packed(pure, puts, most)


@needs_native
@unhurried
@given(puts=PUTS, data=st.data())
def test_twins_take_and_refuse_the_same_bytes(puts: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    pack = bytearray(packed(pure, puts)[0])
    for _ in range(data.draw(st.integers(0, 3))):
        pack[data.draw(st.integers(0, len(pack) - 1))] = data.draw(st.integers(0, 255))
    raw = bytes(pack[: data.draw(st.sampled_from([len(pack), len(pack), data.draw(st.integers(0, len(pack)))]))])
    name = puts[0][0]
    for call in (
        lambda twin: twin.rows(raw),
        lambda twin: twin.find(raw, name),
        lambda twin: twin.put(raw, name, b"row", MOST),
        lambda twin: told(twin.scan([raw], b"", None)),
        lambda twin: told(twin.scan([raw], name, None)),
        lambda twin: told(twin.scan([raw], b"", name)),
    ):
        assert outcome(call, native) == outcome(call, pure)


def outcome(call: Any, twin: Any) -> Any:
    try:
        return call(twin)
    except ValueError as error:
        return str(error)


def told(scanned: Any) -> tuple[Any, ...]:
    """All that a scan says but the keys, which want documents."""
    return (
        scanned.looked,
        scanned.count,
        scanned.errors,
        scanned.first_error,
        scanned.gas,
        scanned.error,
        scanned.entries(),
    )


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01",
        b"\x01\x00\x00",
        b"\x02\x00\x01" + bytes(20),
        b"\x01\x00\x01" + bytes(19),
        b"\x01\x00\x01" + bytes(19) + b"\x01",
        b"\x01\x00\x01" + bytes(21),
        b"\x01\x00\x02" + bytes(40),
        b"\x01\x00\x02" + bytes(31) + b"\x01" + b"\x00\x00\x00\x01" + bytes(4) + b"x",
    ],
    ids=["nothing", "no count", "no rows", "another format", "no ends", "cut off", "too long", "an id twice", "ends out of order"],
)
def test_what_is_no_pack_is_refused(twin: Any, raw: bytes) -> None:
    with pytest.raises(ValueError, match="not a pack of rows"):
        twin.find(raw, bytes(16))
    with pytest.raises(ValueError, match="not a pack of rows"):
        twin.scan([raw], b"", None)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("row", [b"", b"\x01" * 40, b"\x03" + bytes(40), b"\x03" + bytes(40) + b"\x00\x00\x00\x02x"])
def test_what_is_no_row_is_refused_by_a_scan(twin: Any, row: bytes) -> None:
    ((_, pack),) = twin.put(b"", bytes(16), row, MOST)
    with pytest.raises(ValueError, match="not a pack of rows"):
        twin.scan([pack], b"", None)
    assert twin.scan([pack], bytes(16), None).looked == 0


@pytest.mark.parametrize("twin", TWINS)
@unhurried
@given(
    states=st.lists(st.tuples(documents, st.sampled_from([0, 1, 3, 2, 4])), max_size=20),
    after=st.integers(-1, 20),
    chosen=st.none() | st.sets(st.integers(0, 30)),
)
def test_a_scan_gives_what_can_be_seen(twin: Any, states: list[tuple[Any, int]], after: int, chosen: set[int] | None) -> None:
    puts = [(number.to_bytes(16, "big"), stored(state, flags)) for number, (state, flags) in enumerate(states)]
    names = None if chosen is None else b"".join(number.to_bytes(16, "big") for number in sorted(chosen))
    scanned = twin.scan(packed(twin, puts), b"" if after < 0 else after.to_bytes(16, "big"), names)
    seen = [number for number, (_, flags) in enumerate(states) if flags & 1 and number > after and (chosen is None or number in chosen)]
    assert scanned.entries() == [puts[number] for number in seen]
    assert scanned.looked == scanned.count == len(seen)
    texts = [canonical(states[number][0]) for number in seen]
    assert scanned.keys(["a", "o.x"]) == order_key.order_keys(texts, ["a", "o.x"])
    assert [pure.shown(raw) for _, raw in scanned.entries()] == texts


FILTERS = [
    "a > 2",
    'o.x == "a" or b',
    "meta.version > 1",
    'meta.id.endswith("3") and meta.tenant_id == "t" and meta.type == "A"',
    "a + 1",
    "a.b > 1",
]


@pytest.mark.parametrize("engine", ENGINES)
@unhurried
@given(
    states=st.lists(documents, max_size=20),
    source=st.sampled_from(FILTERS),
    total=st.integers(0, 200) | st.just(PLENTY),
    row=st.sampled_from([5, 10_000]),
)
def test_a_scan_through_a_filter_is_what_matches_says(engine: str, states: list[Any], source: str, total: int, row: int) -> None:
    program = get(engine).load(ir(source, "filter"))
    puts = [(number.to_bytes(16, "big"), stored(state, version=number)) for number, state in enumerate(states)]
    named = ("t", "A") if "meta" in source else None
    metas = [
        b'{"id":"00000000-0000-0000-0000-%012x","tenant_id":"t","type":"A","version":%d}' % (number, number)
        for number in range(len(states))
    ]
    scanned = program.scan(packed(pure, puts), b"", None, named, row, total)
    found = program.matches([canonical(state) for state in states], metas if named else None, row, total)
    assert scanned.looked == len(states)
    assert (scanned.errors, scanned.first_error, scanned.gas, scanned.error) == (found.errors, found.first_error, found.gas, found.error)
    assert scanned.entries() == [put for put, flag in zip(puts, found.rows, strict=False) if flag == 1]


@needs_native
@unhurried
@given(
    states=st.lists(st.tuples(documents, st.sampled_from([0, 1, 3])), max_size=20),
    source=st.sampled_from(FILTERS),
    chosen=CHOSEN,
)
def test_twins_scan_alike(states: list[tuple[Any, int]], source: str, chosen: set[int] | None) -> None:
    names = None if chosen is None else b"".join(number.to_bytes(16, "big") for number in sorted(chosen))
    puts = [(number.to_bytes(16, "big"), stored(state, flags)) for number, (state, flags) in enumerate(states)]
    packs = packed(pure, puts)
    one, other = (
        get(name).load(ir(source, "filter")).scan(packs, (3).to_bytes(16, "big"), names, ("t", "A"), 10_000, PLENTY)
        for name in ("native", "pure")
    )
    assert told(one) == told(other)
    assert one.keys(["a"]) == other.keys(["a"])


@pytest.mark.parametrize("engine", ENGINES)
def test_only_a_filter_scans(engine: str) -> None:
    program = get(engine).load(ir("state.a", "expression"))
    with pytest.raises(ValueError, match="this call is for a filter"):
        program.scan([], b"", None, None, 1, 1)


@needs_native
def test_a_panic_does_not_leave_a_scan() -> None:
    assert _native is not None
    program = get("native").load(ir("a > 1", "filter"))
    _native._panic_for_tests(True)
    try:
        scanned = program.scan(packed(pure, [(bytes(16), stored({"a": 2}))]), b"", None, None, 10_000, PLENTY)
    finally:
        _native._panic_for_tests(False)
    assert (scanned.count, scanned.errors) == (0, 1)
    assert b"engine_bug" in (scanned.first_error or b"")
