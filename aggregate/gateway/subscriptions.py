"""`Subscriptions`: how many lasting calls each tenant has open, and its quota of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aggregate.errors import Overloaded
from aggregate.types import TenantId


class Subscriptions:
    """Live queries and subscriptions to events, counted together."""

    def __init__(self, quota: int) -> None:
        """`quota`: of each tenant at once; 0: any number."""
        self._quota = quota
        self._open: Counter[TenantId] = Counter()

    @property
    def open(self) -> int:
        """Of all tenants."""
        return self._open.total()

    @contextmanager
    def admitted(self, tenant_id: TenantId) -> Iterator[None]:
        """Within it one more of the tenant counts. Raises Overloaded."""
        if self._quota and self._open[tenant_id] >= self._quota:
            raise Overloaded(f"tenant {str(tenant_id)!r} has {self._quota} subscriptions, its quota", "quota_subscriptions", 1.0)
        self._open[tenant_id] += 1
        try:
            yield
        finally:
            self._open[tenant_id] -= 1
            if not self._open[tenant_id]:
                del self._open[tenant_id]
