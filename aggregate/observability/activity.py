"""`Activity`: when each tenant's last command was decided here."""

from __future__ import annotations

import time
from collections import OrderedDict

from aggregate.types.record import CommandRecord
from aggregate.types.time import format_time

MOST_TENANTS = 100_000


class Activity:
    """The observer that remembers. Of too many tenants the one that was quiet longest is forgotten."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, float] = OrderedDict()

    def observe(self, record: CommandRecord) -> None:
        """A decision counts, whatever it was; what failed before one says nothing of a tenant (whoever sends it may have made it up)."""
        if record.outcome != "failed":
            self._last[record.tenant_id] = time.time()
            self._last.move_to_end(record.tenant_id)
            if len(self._last) > MOST_TENANTS:
                self._last.popitem(last=False)

    def forget(self, tenant: str) -> None:
        """It is another node's."""
        self._last.pop(tenant, None)

    def times(self) -> dict[str, str]:
        """RFC 3339 by tenant."""
        return {tenant: format_time(round(at * 1000)) for tenant, at in self._last.items()}
