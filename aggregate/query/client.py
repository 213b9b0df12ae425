"""`QueryClient`: the questions that a projection answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Self

from aggregate.errors import Unavailable, ValidationError, quote
from aggregate.query.budget import Budget
from aggregate.query.interface import MAX_LIMIT, Answer, Explanation, LiveQuery, Order, Query, Row, WatchEvent
from aggregate.query.live import LiveQueries
from aggregate.query.ordering import Ordering
from aggregate.query.projected import check_projected
from aggregate.query.projection import Projection
from aggregate.query.searching import Found, Question, everything, page
from aggregate.query.summarising import Summariser
from aggregate.query.tokens import PageTokens
from aggregate.query.view import View, id_of, row_of
from aggregate.types import AggregateId, AggregateKey, AggregateType, TenantId

GAS: Final = 50_000_000
TIMEOUT: Final = 5.0
MOST_PATHS: Final = 16


class QueryClient:
    """Answers queries from a projection.

    Args:
        secret: page tokens are signed with it; b"": with what all nodes of the same definitions know. A token opens nothing but a place in
            its own tenant's rows, so this keeps mistakes out, not attackers.
        gas: that the filter of one query may use.
        timeout: seconds for a query without deadline.
        acknowledged: position that every answer must have come to, beside what a query asks.
        live: the live queries of the projection; None: there are none here.
    """

    def __init__(
        self,
        projection: Projection,
        *,
        secret: bytes = b"",
        gas: int = GAS,
        timeout: float = TIMEOUT,
        acknowledged: Callable[[], str] = lambda: "",
        live: LiveQueries | None = None,
    ) -> None:
        self.projection = projection
        self._secret = secret
        self._tokens = PageTokens(secret or projection.definitions.digest.encode())
        self._gas = gas
        self._timeout = timeout
        self._acknowledged = acknowledged
        self._live = live

    def after(self, acknowledged: Callable[[], str]) -> Self:
        """The same, whose answers wait for a position."""
        return type(self)(
            self.projection, secret=self._secret, gas=self._gas, timeout=self._timeout, acknowledged=acknowledged, live=self._live
        )

    async def query(self, tenant_id: TenantId | str, filter: str = "", *, order_by: Iterable[str] = (), **options: Any) -> Answer:  # noqa: A002 - the public name
        """The rows of a tenant that match a filter: `query(tenant, "balance > 50", order_by=["-balance"], limit=20)`.

        Args:
            tenant_id: whose.
            filter: an expression of the language; "": every row.
            order_by: paths, `-` in front of one that is descending.
            options: as those of `Query`.

        Raises:
            As `find`.
        """
        orders = tuple(each if isinstance(each, Order) else Order.of(each) for each in order_by)
        return await self.find(TenantId(tenant_id), Query(filter=filter, order_by=orders, **options))

    async def find(self, tenant_id: TenantId, query: Query, *, deadline: float | None = None) -> Answer:
        """The answer to a query.

        Raises:
            ValidationError: filter, order, token, limit or type is wrong; names the field.
            DeadlineExceeded: `min_position` was not reached in time, or the work was too much.
            Overloaded: the filter's gas was spent.
            Unavailable, StorageError: there is no projection yet; it cannot be read.
        """
        limit = time.monotonic() + self._timeout if deadline is None else deadline
        self.projection.check_held(tenant_id)
        question = self._question(tenant_id, query)
        after = self._tokens.place(tenant_id, query)
        await self._reach(query.min_position, limit)
        budget = Budget(self._gas, limit)
        try:
            if query.summaries or query.group_by:
                return await self._summary(question, query, budget)
            return await self._page(question, query, after, budget)
        except asyncio.CancelledError:
            budget.given_up.set()
            raise

    def watch(
        self,
        tenant_id: TenantId,
        filter: str = "",  # noqa: A002 - the public name
        *,
        aggregate_type: AggregateType | None = None,
        resume_token: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """The rows that match, then what changes in them, until closed (see `aggregate.query.live`)."""
        return self._live_queries(tenant_id).watch(tenant_id, filter, aggregate_type=aggregate_type, resume_token=resume_token)

    def live(
        self,
        tenant_id: TenantId,
        filter: str = "",  # noqa: A002 - the public name
        *,
        aggregate_type: AggregateType | None = None,
        resume_token: str = "",
    ) -> AbstractAsyncContextManager[LiveQuery]:
        """The same for a server of many: open until it is left."""
        return self._live_queries(tenant_id).live(tenant_id, filter, aggregate_type=aggregate_type, resume_token=resume_token)

    async def row(
        self,
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        aggregate_id: AggregateId,
        *,
        min_position: str = "",
        deadline: float | None = None,
    ) -> Row | None:
        """One row, None where there is none to be seen.

        Raises:
            ValidationError: the type is not projected; no position.
            DeadlineExceeded, Unavailable, StorageError.
        """
        self.projection.check_held(tenant_id)
        check_projected(aggregate_type, self.projection.types)
        await self._reach(min_position, time.monotonic() + self._timeout if deadline is None else deadline)
        found, _ = await self.projection.view(tenant_id, lambda view: view.row(AggregateKey(tenant_id, aggregate_type, aggregate_id)))
        return found

    def _live_queries(self, tenant_id: TenantId) -> LiveQueries:
        self.projection.check_held(tenant_id)
        if self._live is None:
            raise Unavailable("live queries are not served here", reason="no_projection")
        self.projection.start()
        return self._live

    async def _reach(self, position: str, deadline: float) -> None:
        self.projection.start()
        for each in {position, self._acknowledged()}:
            if each:
                await self.projection.reach(each, deadline)

    async def _page(self, question: Question, query: Query, after: bytes, budget: Budget) -> Answer:
        def look(view: View) -> tuple[list[Found], list[str], list[str]]:
            return page(view, question, after, query.limit + 1, budget)

        (found, words, paths), position = await self.projection.view(question.tenant_id, look)
        more = len(found) > query.limit
        found = found[: query.limit]
        return Answer(
            rows=tuple(row_of(AggregateKey(question.tenant_id, each.aggregate_type, id_of(each.name)), each.raw) for each in found),
            position=position,
            next_page_token=self._tokens.make(question.tenant_id, query, found[-1].place) if more else "",
            explanation=_explanation(words, paths, budget) if query.explain else None,
        )

    async def _summary(self, question: Question, query: Query, budget: Budget) -> Answer:
        words: list[str] = []
        paths: list[str] = []

        def look(view: View) -> Summariser:
            summariser = Summariser(query)
            for aggregate_type, hits in everything(view, question, budget, words, paths):
                summariser.add(aggregate_type, hits)
            return summariser

        summariser, position = await self.projection.view(question.tenant_id, look)
        return Answer(
            rows=(),
            position=position,
            groups=summariser.groups(),
            explanation=_explanation(words, paths, budget) if query.explain else None,
        )

    def _question(self, tenant_id: TenantId, query: Query) -> Question:
        if not 1 <= query.limit <= MAX_LIMIT:
            raise ValidationError(f"expected 1 to {MAX_LIMIT}, got {query.limit}", "limit")
        check_projected(query.aggregate_type, self.projection.types)
        ordered = [key.path for key in query.order_by]
        for name, paths in (
            ("order_by", ordered),
            ("group_by", list(query.group_by)),
            ("summaries", [each.path for each in query.summaries if each.path or each.function != "count"]),
        ):
            _check_paths(name, paths)
        if len(set(ordered)) < len(ordered):
            raise ValidationError("a path stands twice", "order_by")
        if (query.summaries or query.group_by) and (query.order_by or query.page_token):
            raise ValidationError(
                "groups come all at once, by their values: no order and no pages", "order_by" if ordered else "page_token"
            )
        types = sorted(self.projection.types) if query.aggregate_type is None else [query.aggregate_type]
        return Question(tenant_id, types, self.projection.matcher(query.filter), Ordering(query.order_by))


def _check_paths(field: str, paths: list[str]) -> None:
    if len(paths) > MOST_PATHS:
        raise ValidationError(f"at most {MOST_PATHS} paths, not {len(paths)}", field)
    for path in paths:
        if not all(path.split(".")) or len(path) > 256:
            raise ValidationError(f"expected a path like balance or owner.country, got {quote(path)}", field)


def _explanation(words: list[str], paths: list[str], budget: Budget) -> Explanation:
    used = sorted({path for path in paths if path})
    return Explanation("; ".join(words), ", ".join(used), budget.rows, budget.gas_used, budget.errors, budget.first_error.decode())
