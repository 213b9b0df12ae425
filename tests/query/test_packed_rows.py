"""Rows of a store, packed: what was put is what is got, scanned and fetched, whatever the sizes, beside other tenants and types."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregate.engine import packs
from aggregate.query.stored import LAST_ID, PACK, Rows, StoredRow, row_prefix
from aggregate.query.view import View
from aggregate.types import AggregateType, TenantId

TENANTS = [TenantId(""), TenantId("t-1"), TenantId("t-10")]
TYPES = [AggregateType("A"), AggregateType("AA")]
TIME = b"2026-01-31T12:00:00.000Z"

Written = dict[tuple[TenantId, AggregateType], dict[bytes, bytes]]


@contextmanager
def environment() -> Iterator[Any]:
    with TemporaryDirectory() as folder, lmdb.open(str(Path(folder) / "rows"), map_size=1 << 30) as env:
        yield env


def row(size: int, *, seen: bool = True) -> bytes:
    return StoredRow(int(seen), 1, 1, TIME, b"x" * size, b"x" * size).encode()


def check(env: Any, written: Written) -> None:
    """What readers find is what was written."""
    with env.begin() as transaction:
        view, rows = View(transaction, 0, {}, ""), Rows(transaction)
        for tenant in TENANTS:
            for kind in TYPES:
                own = dict(sorted(written.get((tenant, kind), {}).items()))
                found = [pack for chunk in view.packs(tenant, kind) for pack in chunk]
                assert [each for pack in found for each in packs.rows(pack)] == list(own.items())
                assert all(len(pack) <= PACK or len(packs.rows(pack)) == 1 for pack in found)
                seen = [(name, raw) for name, raw in own.items() if raw[0] & 1]
                names = [*own, bytes(16), LAST_ID, b"\x80" * 16]
                names.sort()
                assert packs.scan(view.chosen(tenant, kind, names), b"", b"".join(names)).entries() == seen
                assert len(view.chosen(tenant, kind, names[:1])) <= 1
                for name in names:
                    assert rows.get(row_prefix(tenant, kind), name) == own.get(name)
                    after = [entry for chunk in view.packs(tenant, kind, name) for entry in packs.scan(chunk, name, None).entries()]
                    assert after == [each for each in seen if each[0] > name]


WRITES = st.lists(
    st.tuples(
        st.sampled_from(TENANTS),
        st.sampled_from(TYPES),
        st.integers(1, 60),
        st.sampled_from([2, 50, 300, 900, 2_000, 4_000, 9_000]),
        st.booleans(),
    ),
    max_size=80,
)


@settings(max_examples=30, deadline=None)
@given(batches=st.lists(WRITES, max_size=3))
def test_what_was_put_is_what_readers_find(batches: list[list[tuple[TenantId, AggregateType, int, int, bool]]]) -> None:
    written: Written = {}
    with environment() as env:
        for batch in batches:
            with env.begin(write=True) as transaction:
                rows = Rows(transaction)
                for tenant, kind, number, size, seen in batch:
                    name, raw = number.to_bytes(16, "big"), row(size, seen=seen)
                    rows.put(row_prefix(tenant, kind), name, raw)
                    written.setdefault((tenant, kind), {})[name] = raw
                    assert rows.get(row_prefix(tenant, kind), name) == raw
            check(env, written)


@pytest.mark.parametrize(("ordered", "full"), [(True, 0.95), (False, 0.55)], ids=["ids that ascend", "ids in any order"])
def test_packs_are_full_enough(ordered: bool, full: float) -> None:
    random = Random(3)
    names = [number.to_bytes(16, "big") for number in range(3_000)]
    if not ordered:
        random.shuffle(names)
    with environment() as env:
        with env.begin(write=True) as transaction:
            rows = Rows(transaction)
            for name in names:
                rows.put(row_prefix(TENANTS[1], TYPES[0]), name, row(random.randrange(20, 80)))
        with env.begin() as transaction:
            sizes = [len(value) for _, value in transaction.cursor()]
            assert sum(sizes) / len(sizes) > full * PACK
            assert env.stat()["overflow_pages"] <= len(sizes), "a pack is a page and no more"
