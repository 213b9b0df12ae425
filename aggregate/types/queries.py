"""What a query asks and what it gets, and the items of a live query.

Positions, page tokens and resume tokens are opaque text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

from aggregate.types.ids import AggregateId, AggregateType, TenantId
from aggregate.types.json import Document

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """An aggregate as the projection has it.

    Attributes:
        version: of the aggregate.
        document: the state, or those of its members that the manifest keeps (`fields`).
        position: of its last commit in the log.
        time: of its last commit, RFC 3339.
    """

    tenant_id: TenantId
    aggregate_type: AggregateType
    aggregate_id: AggregateId
    version: int
    document: Document
    position: str
    time: str

    @property
    def state(self) -> Any:
        """The document as Python values (numbers are int and Decimal)."""
        return self.document.value


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an order.

    Ascending: null or missing, `false`, `true`, numbers, strings, lists, maps. Ties are broken by type and id, in the direction of the last
    key.
    """

    path: str
    descending: bool = False

    @classmethod
    def of(cls, text: str) -> Order:
        """`-balance` is descending, `owner.country` ascending."""
        return cls(text.removeprefix("-"), text.startswith("-"))


@dataclass(frozen=True, slots=True)
class Summary:
    """What to compute over the rows that match, instead of giving them."""

    function: Literal["count", "sum", "min", "max"]
    path: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the projection of one tenant.

    Attributes:
        filter: an expression of the language over a state, with `meta.id version type tenant_id`; "": every row.
        aggregate_type: None: all types that are projected.
        order_by: first key first; none: by type and id.
        limit: rows of a page, 1 to MAX_LIMIT.
        page_token: of the page before; "": the first page.
        min_position: answer only once the projection has come to this position of the log.
        summaries: instead of rows, one `Group` for each value of `group_by` (one in all without it).
        explain: tell how the answer was found.
    """

    filter: str = ""
    aggregate_type: AggregateType | None = None
    order_by: tuple[Order, ...] = ()
    limit: int = DEFAULT_LIMIT
    page_token: str = ""
    min_position: str = ""
    summaries: tuple[Summary, ...] = ()
    group_by: tuple[str, ...] = ()
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Values of `group_by` and of the summaries, in the order they were asked for, as Python values (None where there is none)."""

    key: tuple[Any, ...]
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an answer was found.

    Attributes:
        plan: one line for people.
        index: the path whose index was used, "" where rows were scanned.
        rows_read: looked at; `errors` of them the filter failed on (they do not match), the first with `first_error` (an error record).
        gas_used: of the filter.
    """

    plan: str
    index: str
    rows_read: int
    gas_used: int
    errors: int = 0
    first_error: str = ""


@dataclass(frozen=True, slots=True)
class Answer(Sequence[Row]):
    """A page of rows (it is a sequence of them), or groups.

    Attributes:
        next_page_token: "" on the last page.
        position: of the log that the answer is of.
    """

    rows: tuple[Row, ...]
    position: str
    next_page_token: str = ""
    groups: tuple[Group, ...] = ()
    explanation: Explanation | None = None

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


WatchKind = Literal["row", "added", "changed", "no_longer_matching", "caught_up", "lagged"]


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One item of a live query.

    First come `row`s, the ones that match now, then `caught_up`; then what changes. `lagged`: what was told before is void, tokens too
    (the watcher was too slow, or nobody knows what changed since its token): `row`s and `caught_up` follow again. `caught_up` may also
    come again when it was quiet, with a newer token.

    After a resume, what changed since the token comes as `changed` (it matches) and `no_longer_matching` (it does not, whether or not it
    did), then `caught_up`.

    Attributes:
        row: of a `no_longer_matching` one, as it is now where there still is one, else as it was, or with a null document.
        resume_token: to go on after this item with another `watch`: keep the newest that is not "".
    """

    kind: WatchKind
    row: Row | None = None
    resume_token: str = ""
