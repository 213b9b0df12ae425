"""Quotas of tenants: commands and gas a second. One tenant at its quota costs the others nothing."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from aggregate.errors import Overloaded

MOST_TENANTS = 100_000
"""Tenants with an account of their own; the one that was quiet longest is forgotten first, which gives it a full account again."""


class Quota:
    """What each tenant may use of one thing a second, saved up for one second at most.

    A tenant may overdraw by one use (what a command costs is known afterwards) and then waits until it is out of debt.

    Args:
        per_second: the allowance, 0: no limit.
        what: named in the refusal: `commands`, `gas`.
        clock: seconds of a clock that never goes back.
    """

    __slots__ = ("_accounts", "_clock", "_rate", "_what")

    def __init__(self, per_second: int, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._what = what
        self._clock = clock
        self._accounts: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, tenant: str) -> None:
        """Raises Overloaded, with the time to wait, while the tenant's allowance is used up."""
        if self._rate and (left := self._left(tenant)) < 1:
            wait = (1 - left) / self._rate
            raise Overloaded(
                f"tenant {tenant!r} has used its {self._rate} {self._what} a second", reason=f"quota_{self._what}", retry_after=wait
            )

    def use(self, tenant: str, amount: int) -> None:
        """Take from the tenant's allowance."""
        if self._rate:
            self._accounts[tenant] = (self._left(tenant) - amount, self._clock())
            self._accounts.move_to_end(tenant)
            if len(self._accounts) > MOST_TENANTS:
                self._accounts.popitem(last=False)

    def _left(self, tenant: str) -> float:
        left, since = self._accounts.get(tenant, (float(self._rate), 0.0))
        return min(float(self._rate), left + (self._clock() - since) * self._rate)
