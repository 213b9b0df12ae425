"""States, filters, orders and writes for property tests."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from aggregate.query.interface import Order
from tests.query import naive

PATHS = ("a", "b", "o.x", "o")
TENANTS = ("t-1", "t-2")

numbers = st.one_of(
    st.integers(-3, 3),
    st.integers(-(10**34) + 1, 10**34 - 1),
    st.decimals(-1000, 1000, places=2).map(lambda each: each if each else Decimal(0)),
    st.sampled_from([Decimal("0.1"), Decimal("1E-34"), Decimal("-1E-34"), Decimal("12345.6789"), 10, 100, 1000, -100, 120]),
)
strings = st.one_of(
    st.sampled_from(
        [
            "",
            "a",
            "ab",
            "abc",
            "b",
            "a\0",
            "a\0b",
            "a\1",
            "\0",
            "é",
            "\U0001f600",
            "\uffff",
            "z" * 256,
            "z" * 257,
            "z" * 300 + "a",
            "z" * 300 + "b",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, strings)
values = st.one_of(
    scalars, scalars, scalars, st.lists(scalars, max_size=2), st.dictionaries(st.sampled_from(["x", "y"]), scalars, max_size=2)
)
documents = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"a": values, "b": values, "o": st.one_of(values, st.fixed_dictionaries({}, optional={"x": values, "y": scalars}))}
    ),
    st.fixed_dictionaries({}, optional={"a": values, "b": values, "o": st.fixed_dictionaries({"x": scalars})}),
    st.none(),
    scalars,
)
writes = st.lists(st.tuples(st.sampled_from(TENANTS), st.sampled_from(["A", "B"]), st.integers(0, 7), documents), max_size=25)

_paths = st.sampled_from(PATHS).map(naive.at)
_literals = scalars.map(naive.literal)
_atoms = st.one_of(
    st.builds(naive.compare, _paths, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), _literals),
    st.builds(naive.compare, _literals, st.sampled_from(["==", "<", "<=", ">", ">="]), _paths),
    st.builds(naive.compare, _paths, st.sampled_from(["==", "<"]), _paths),
    st.builds(naive.member, _paths, st.lists(scalars, max_size=3)),
    st.builds(naive.starts, _paths, strings),
    st.builds(
        lambda op, number: naive.Test(
            f"meta.version {op} {number}", lambda row: {"<": row.version < number, ">=": row.version >= number}[op]
        ),
        st.sampled_from(["<", ">="]),
        st.integers(0, 4),
    ),
    st.sampled_from(["A", "B"]).map(lambda kind: naive.Test(f'meta.type == "{kind}"', lambda row: row.key.aggregate_type == kind)),
)
filters = st.one_of(
    st.none(),
    _atoms,
    st.recursive(
        _atoms,
        lambda inner: st.one_of(
            st.builds(naive.inverse, inner), st.builds(naive.joined, st.sampled_from(["and", "and", "or"]), inner, inner)
        ),
        max_leaves=4,
    ),
)
orders = st.lists(st.builds(Order, st.sampled_from(PATHS), st.booleans()), max_size=2, unique_by=lambda order: order.path).map(tuple)
