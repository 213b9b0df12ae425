"""`BusiestTenants`: which tenants have a label of their own, when there are more tenants than labels."""

from __future__ import annotations

OTHER = "other"
CANDIDATES = 4
"""Tenants counted, in multiples of the labels there are; who comes when that many are counted waits for the next round."""

ROUND = 1000
"""Commands of tenants without a label between two elections, at least."""


class BusiestTenants:
    """The first `most` tenants that come get a label; after that elections are held, by commands, of which those long ago count less.

    `label` is a look-up and an addition; an election sorts at most `CANDIDATES * most` tenants, and happens once in as many commands.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, int] = {}
        self._labelled: set[str] = set()
        self._round = max(ROUND, CANDIDATES * most)
        self._until_election = self._round

    def label(self, tenant: str) -> str:
        """The label of a tenant's command: its name, or `other`."""
        count = self._counts.get(tenant)
        if count is not None:
            self._counts[tenant] = count + 1
        elif len(self._counts) < CANDIDATES * self._most:
            self._counts[tenant] = 1
        if tenant in self._labelled:
            return tenant
        if len(self._labelled) < self._most:
            self._labelled.add(tenant)
            return tenant
        self._until_election -= 1
        return OTHER

    def elect(self) -> list[str]:
        """Hold the election where it is due; the tenants that lost their label."""
        if self._until_election > 0:
            return []
        self._until_election = self._round
        # Of equals the one that has a label keeps it: a label that comes and goes is a counter that starts again.
        ranked = sorted(self._counts, key=lambda tenant: (-self._counts[tenant], tenant not in self._labelled))
        elected = set(ranked[: self._most])
        lost = sorted(self._labelled - elected)
        self._labelled = elected
        self._counts = {tenant: count // 2 for tenant, count in self._counts.items() if count >= 2 or tenant in elected}
        return lost
